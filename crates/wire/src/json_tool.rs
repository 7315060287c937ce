//! A JSON answer through a forced tool, for models that know no response format.
//!
//! Where the quirk `schema_as_tool` asks for it, the schema goes out as a tool and a call to that
//! tool is read back as the answer's text. The tool's name is reserved.

use crate::dialect::Target;
use crate::hub::{Extra, Format, Part, Request};
use serde_json::{Value, json};

/// The name of the tool.
pub(crate) const NAME: &str = "json_response";

/// Whether the request's format goes out as a tool.
pub(crate) fn wanted(request: &Request, target: &Target<'_>) -> bool {
    target.quirks.schema_as_tool
        && matches!(request.format, Some(Format::JsonSchema { .. } | Format::JsonObject))
}

/// What the tool does, in words, and the schema of its input.
pub(crate) fn shape(request: &Request) -> (&str, Value) {
    let (description, schema) = match &request.format {
        Some(Format::JsonSchema { description, schema, .. }) => {
            (description.as_deref(), schema.clone())
        }
        _ => (None, json!({"type": "object", "additionalProperties": true})),
    };
    (description.unwrap_or("Gives the answer in the shape that was asked for."), schema)
}

/// Turns calls of the tool into text. True if there was one and no other call.
pub(crate) fn as_text(parts: &mut [Part]) -> bool {
    let mut found = false;
    for part in parts.iter_mut() {
        if let Part::ToolCall(call) = part
            && call.name == NAME
        {
            let text = std::mem::take(&mut call.arguments);
            *part = Part::Text { text, extra: Extra::new() };
            found = true;
        }
    }
    found && !parts.iter().any(|part| matches!(part, Part::ToolCall(_)))
}
