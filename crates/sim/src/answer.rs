//! The answer to an [`Ask`], before any dialect dresses it.
//!
//! An answer is a list of tokens per choice: reasoning, then text, then tool calls. Its tokens are
//! counted here, and this count is both what is reported as usage and what the bill is made from.
//! It depends on the seed, the voice and the question, never on the dialect or the clock.
//!
//! Rules a test may rely on: two tools are called when the question says "parallel" or "both" and
//! one otherwise; models with `think` in their name reason for 12 tokens; `utf8` makes the text
//! wide; `cache` halves the uncached input.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use crate::ask::{Ask, Format, Tool, ToolChoice};
use crate::chance::Chance;
use crate::dialect::Dialect;
use crate::schema;
use crate::script::Line;
use crate::settings::ProviderSettings;
use crate::text::{self, Piece, Script};

/// How many tokens a reasoning model thinks.
const REASONING_TOKENS: usize = 12;

/// No answer is longer, whatever a name or a fault asks for.
const LONGEST_ANSWER: u32 = 1_000_000;

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    Stop,
    Length,
    Tools,
    Filtered,
}

/// How usage is told, for the faults that lie about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UsageManner {
    Honest,
    Absent,
    /// Half of the output first, the truth last.
    Twice,
    /// Too much first, the truth last.
    Decreasing,
    Negative,
    Huge,
}

/// What a fault or a script may change about an answer before it is made.
#[derive(Debug, Clone)]
pub(crate) struct Manner {
    pub(crate) script: Script,
    pub(crate) usage: UsageManner,
    pub(crate) tokens: Option<u32>,
    /// The provider ignores `max_tokens` and says twice as much.
    pub(crate) overrun: bool,
    /// Streams where it should not, and the reverse.
    pub(crate) flip_stream: bool,
    pub(crate) finish: Option<Finish>,
    /// What the script wants said, word for word.
    pub(crate) line: Option<Arc<Line>>,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            script: Script::Plain,
            usage: UsageManner::Honest,
            tokens: None,
            overrun: false,
            flip_stream: false,
            finish: None,
            line: None,
        }
    }
}

/// The simulator's own count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Usage {
    /// All input tokens, cached ones among them.
    pub(crate) input: u32,
    pub(crate) cached: u32,
    /// All output tokens, reasoning ones among them.
    pub(crate) output: u32,
    pub(crate) reasoning: u32,
}

/// Usage as it is told, which may be a lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    pub(crate) input: i128,
    pub(crate) cached: i128,
    pub(crate) output: i128,
    pub(crate) reasoning: i128,
}

impl From<Usage> for Told {
    fn from(usage: Usage) -> Self {
        Self {
            input: usage.input.into(),
            cached: usage.cached.into(),
            output: usage.output.into(),
            reasoning: usage.reasoning.into(),
        }
    }
}

/// A number as JSON, up to 2^64.
pub(crate) fn figure(number: i128) -> Value {
    i64::try_from(number).map_or_else(|_| Value::from(number.unsigned_abs() as u64), Value::from)
}

#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) fragments: Vec<Piece>,
}

impl Call {
    pub(crate) fn arguments(&self) -> String {
        self.fragments.concat()
    }

    /// The arguments as an object, `{}` when they were cut.
    pub(crate) fn object(&self) -> Value {
        serde_json::from_str(&self.arguments())
            .unwrap_or_else(|_| Value::Object(Default::default()))
    }

    /// One token for the name, one per fragment.
    pub(crate) fn tokens(&self) -> u32 {
        1 + len(&self.fragments)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub(crate) reasoning: Vec<Piece>,
    pub(crate) text: Vec<Piece>,
    pub(crate) calls: Vec<Call>,
    pub(crate) finish: Finish,
}

impl Choice {
    pub(crate) fn tokens(&self) -> u32 {
        let calls: u32 = self.calls.iter().map(Call::tokens).sum();
        len(&self.reasoning) + len(&self.text) + calls
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) choices: Vec<Choice>,
    pub(crate) usage: Usage,
    /// What is told about usage, in order; empty when nothing is.
    pub(crate) told: Vec<Told>,
}

impl Answer {
    /// The signature that goes with reasoning; any bytes will do, but always the same.
    pub(crate) fn signature(&self) -> String {
        format!("c2lnLXNpbS0{:08x}", self.usage.output.wrapping_mul(0x9E37_79B1))
    }
}

fn len(pieces: &[Piece]) -> u32 {
    u32::try_from(pieces.len()).unwrap_or(u32::MAX)
}

/// Makes the answer.
pub(crate) fn answer(seed: u64, provider: &ProviderSettings, ask: &Ask, manner: &Manner) -> Answer {
    let choices: Vec<Choice> =
        (0..ask.choices).map(|index| choice(seed, provider, ask, manner, index)).collect();
    let usage = Usage {
        input: ask.input_tokens,
        cached: if ask.model.contains("cache") { ask.input_tokens / 2 } else { 0 },
        output: choices.iter().map(Choice::tokens).sum(),
        reasoning: choices.iter().map(|choice| len(&choice.reasoning)).sum(),
    };
    Answer { choices, usage, told: told(manner.usage, usage) }
}

fn told(manner: UsageManner, usage: Usage) -> Vec<Told> {
    let truth = Told::from(usage);
    let with = |output: i128| Told { output, ..truth };
    match manner {
        UsageManner::Honest => vec![truth],
        UsageManner::Absent => Vec::new(),
        UsageManner::Twice => vec![with(truth.output / 2), truth],
        UsageManner::Decreasing => vec![with(truth.output + truth.output / 2 + 1), truth],
        UsageManner::Negative => vec![with(-5)],
        UsageManner::Huge => vec![with(1_i128 << 63)],
    }
}

fn choice(
    seed: u64,
    provider: &ProviderSettings,
    ask: &Ask,
    manner: &Manner,
    index: u32,
) -> Choice {
    let key = text::key(seed, &provider.voice, &ask.question, index);
    let wanted = wanted_tokens(provider, ask, manner);
    let (text, calls) = match &manner.line {
        Some(line) => (text::split(&line.say), scripted(line, ask, key, index)),
        None if wants_tools(ask) => (preamble(ask, key), calls(ask, key, index)),
        None => (said(ask, manner, key, wanted), Vec::new()),
    };
    let text = if manner.line.is_none() && calls.is_empty() && text.is_empty() {
        said(ask, manner, key, wanted)
    } else {
        text
    };
    let finish = if calls.is_empty() { Finish::Stop } else { Finish::Tools };
    let mut choice = Choice { reasoning: reasoning(ask, key), text, finish, calls };
    if let Some(limit) = ask.max_tokens.filter(|_| !manner.overrun) {
        shorten(&mut choice, limit as usize);
    }
    choice.finish = manner.finish.unwrap_or(choice.finish);
    choice
}

fn wanted_tokens(provider: &ProviderSettings, ask: &Ask, manner: &Manner) -> usize {
    let usual = manner.tokens.unwrap_or_else(|| provider.tokens_of(&ask.model));
    let wanted = match ask.max_tokens {
        Some(limit) if manner.overrun => usual.max(limit.saturating_mul(2)),
        _ => usual,
    };
    wanted.min(LONGEST_ANSWER) as usize
}

fn wants_tools(ask: &Ask) -> bool {
    let forced = matches!(ask.tool_choice, ToolChoice::Required | ToolChoice::Named(_));
    let idle = ask.tool_choice == ToolChoice::Never || ask.tools.is_empty();
    !idle && (forced || ask.tool_result.is_none())
}

fn reasoning(ask: &Ask, key: u64) -> Vec<Piece> {
    if !ask.model.contains("think") {
        return Vec::new();
    }
    text::pieces(key ^ 0x7417_4B1E, REASONING_TOKENS, Script::Plain)
}

/// Anthropic's and Cohere's models say a few words before they call a tool unless they are made to call one.
fn preamble(ask: &Ask, key: u64) -> Vec<Piece> {
    let talks = matches!(ask.dialect, Dialect::Anthropic | Dialect::Cohere);
    if talks && ask.tool_choice == ToolChoice::Auto {
        return text::pieces(key, 4, Script::Plain);
    }
    Vec::new()
}

fn said(ask: &Ask, manner: &Manner, key: u64, wanted: usize) -> Vec<Piece> {
    if let Format::Json(schema) = &ask.format {
        let json = schema::sample(schema, &mut Chance::new(key)).to_string();
        return text::fragments(&json, 4);
    }
    let mut lead = Vec::new();
    if ask.images > 0 {
        let plural = if ask.images == 1 { "" } else { "s" };
        lead.extend(text::split(&format!("I see {} image{plural}. ", ask.images)));
    }
    if let Some(result) = &ask.tool_result {
        lead.extend(text::split(&format!("The tool answered: {result} - ")));
    }
    let script = if ask.model.contains("utf8") { Script::Wide } else { manner.script };
    let rest = wanted.saturating_sub(lead.len());
    lead.extend(text::pieces(key, rest, script));
    continued(lead, ask.prefill.as_deref())
}

/// What is left of `pieces` after `prefill`. Words that are not a beginning of the text count as
/// many tokens as they have pieces, and the model goes on from there.
fn continued(pieces: Vec<Piece>, prefill: Option<&str>) -> Vec<Piece> {
    let Some(prefill) = prefill.filter(|text| !text.is_empty()) else { return pieces };
    let whole = pieces.concat();
    let Some(rest) = whole.strip_prefix(prefill) else {
        return pieces.into_iter().skip(text::split(prefill).len()).collect();
    };
    let mut skipped = whole.len() - rest.len();
    let mut left = Vec::new();
    for piece in pieces {
        if skipped >= piece.len() {
            skipped -= piece.len();
        } else if let Some(tail) = piece.get(skipped..).filter(|_| skipped > 0) {
            left.push(Cow::Owned(tail.to_owned()));
            skipped = 0;
        } else {
            left.push(piece);
        }
    }
    left
}

fn calls(ask: &Ask, key: u64, choice: u32) -> Vec<Call> {
    let question = ask.question.to_lowercase();
    let both = question.contains("parallel") || question.contains("both");
    let wanted = if ask.parallel && both { 2 } else { 1 };
    let named: Vec<&Tool> = match &ask.tool_choice {
        ToolChoice::Named(name) => ask.tools.iter().filter(|tool| tool.name == *name).collect(),
        _ => ask.tools.iter().collect(),
    };
    let tools = named.iter().cycle().take(if named.is_empty() { 0 } else { wanted });
    let made = tools.enumerate().map(|(at, tool)| {
        let at = at as u64;
        let mut chance = Chance::new(key.wrapping_add(at + 1));
        let arguments = schema::sample(&tool.schema, &mut chance);
        call(tool, &arguments, key, choice, at)
    });
    made.collect()
}

fn call(tool: &Tool, arguments: &Value, key: u64, choice: u32, at: u64) -> Call {
    Call {
        id: format!("{:012x}{choice}{at}", key & 0xFFFF_FFFF_FFFF),
        name: tool.name.clone(),
        fragments: text::fragments(&arguments.to_string(), 6),
    }
}

/// The calls of a script, those whose tools were offered. Ids differ from round to round.
fn scripted(line: &Line, ask: &Ask, key: u64, choice: u32) -> Vec<Call> {
    let key = key.wrapping_add(ask.rounds.into());
    let offered = line.calls.iter().filter_map(|wanted| Some((wanted, wanted.among(&ask.tools)?)));
    let calls = (0..).zip(offered);
    calls.map(|(at, (wanted, tool))| call(tool, &wanted.arguments, key, choice, at)).collect()
}

/// Keeps the first `limit` tokens.
fn shorten(choice: &mut Choice, limit: usize) {
    if choice.tokens() as usize <= limit {
        return;
    }
    choice.finish = Finish::Length;
    choice.reasoning.truncate(limit);
    let mut left = limit - choice.reasoning.len();
    choice.text.truncate(left);
    left -= choice.text.len();
    let mut kept = Vec::new();
    for mut call in std::mem::take(&mut choice.calls) {
        let Some(room) = left.checked_sub(1) else { break };
        call.fragments.truncate(room);
        left = room - call.fragments.len();
        kept.push(call);
    }
    choice.calls = kept;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(model: &str) -> Ask {
        Ask { question: "what is a weighbridge?".into(), ..Ask::new(Dialect::OpenAi, model.into()) }
    }

    fn text_of(ask: &Ask) -> String {
        let made = answer(3, &ProviderSettings::named("a"), ask, &Manner::default());
        made.choices[0].text.concat()
    }

    #[test]
    fn any_prefix_of_an_answer_is_continued_exactly() {
        let whole = text_of(&ask("m-utf8"));
        let places = whole.char_indices().map(|(at, _)| at).chain([whole.len()]);
        for at in places.filter(|at| *at > 0) {
            let prefill = Some(whole[..at].to_owned());
            let rest = text_of(&Ask { prefill, ..ask("m-utf8") });
            assert_eq!(format!("{}{rest}", &whole[..at]), whole);
        }
    }

    #[test]
    fn max_tokens_is_kept_and_reported() {
        for limit in 1..70 {
            let ask = Ask { max_tokens: Some(limit), ..ask("m-think") };
            let made = answer(3, &ProviderSettings::named("a"), &ask, &Manner::default());
            assert_eq!(made.usage.output, limit.min(72));
            assert_eq!(made.choices[0].finish == Finish::Length, limit < 72);
        }
    }

    #[test]
    fn an_overrun_ignores_max_tokens() {
        let ask = Ask { max_tokens: Some(100), ..ask("m") };
        let manner = Manner { overrun: true, ..Manner::default() };
        let made = answer(3, &ProviderSettings::named("a"), &ask, &manner);
        assert_eq!(made.usage.output, 200);
    }
}
