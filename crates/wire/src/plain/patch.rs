//! Names the upstream's model in a plain request that goes on in its own dialect.

use super::PlainDialect;
use crate::dialect::gemini;
use crate::peek::ChatPeek;
use crate::scan::{Fault, Kind, Scanner};
use crate::splice::{ChatPatches, Edit, splice};
use bytes::Bytes;

/// The body with the upstream's name of the model wherever the dialect names it, in pieces. `peek`
/// describes `body`.
#[must_use]
pub fn splice_model(
    dialect: &PlainDialect,
    body: &Bytes,
    peek: &ChatPeek,
    model: &str,
) -> Vec<Bytes> {
    if dialect.model_in_body {
        let patches = ChatPatches { model: Some(model), ..ChatPatches::default() };
        return splice(body, &mut patches.edits(peek));
    }
    // Gemini's path names the model; a body may name it again, each request of a batch must.
    let text = Bytes::from(serde_json::Value::from(gemini::resource_name(model)).to_string());
    let mut edits = Vec::new();
    if let Some(member) = peek.member("model") {
        edits.push(Edit { at: member.value.clone(), text: text.clone() });
    }
    if let Some(member) = peek.member("requests") {
        // The peek has checked the whole text: there is no fault.
        let _checked = models_in(body, member.value.start, &text, &mut edits);
    }
    splice(body, &mut edits)
}

fn models_in(body: &[u8], at: usize, text: &Bytes, edits: &mut Vec<Edit>) -> Result<(), Fault> {
    let mut scanner = Scanner::new(body)?.from(at);
    if scanner.kind() != Kind::Array {
        return Ok(());
    }
    scanner.array(|scanner, _| {
        if scanner.kind() != Kind::Object {
            return scanner.pass();
        }
        scanner.object(|scanner, key| {
            let named = *key.bytes() == *b"model";
            let value = scanner.skip()?;
            if named {
                edits.push(Edit { at: value.span, text: text.clone() });
            }
            Ok(())
        })
    })
}
