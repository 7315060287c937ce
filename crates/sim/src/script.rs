//! The script: which requests get which fault.
//!
//! Rules are tried in order; the first that matches and fires decides. A rule that matches but does
//! not fire (skipped, used up, lost its toss) lets the next one be tried. Faults named by a
//! request's header or model come before the script. The script is JSON, the same in a file, over
//! HTTP and in a test.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ask::{Ask, Tool};
use crate::chance::Chance;
use crate::fault::FaultCall;

/// A list of rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Tried in order.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// Only requests to this provider.
    pub provider: Option<String>,
    /// Only models whose name contains this.
    pub model: Option<String>,
    /// Only keys that end so.
    pub key: Option<String>,
    /// How many matching requests are let pass first.
    pub skip: u64,
    /// Then only every so many-th one (1: each).
    pub every: u64,
    /// How often the rule may fire; without limit when absent.
    pub count: Option<u64>,
    /// How likely it fires, in per cent, by seeded toss.
    pub percent: u8,
    /// The fault, such as `f31-twice`, or `none` to force health.
    pub fault: String,
    /// What the model says word for word, round by round: the first line until a tool was called,
    /// the second after one round of calls, and so on; the last line from then on. The rule only
    /// matches requests that offer a tool of the line, when the line calls any.
    pub lines: Vec<Line>,
}

/// What a model says in one turn: words, then calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Line {
    /// The text.
    pub say: String,
    /// The calls, made at once. Those whose tools are not offered are left out.
    pub calls: Vec<LineCall>,
}

/// A call of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineCall {
    /// Names of tools with `|` between them; a name that ends in `*` stands for all that begin so.
    pub tool: String,
    /// The arguments, an object.
    pub arguments: Value,
}

impl LineCall {
    /// The first tool offered that it can call.
    pub(crate) fn among<'a>(&self, offered: &'a [Tool]) -> Option<&'a Tool> {
        let fits = |name: &str, wanted: &str| match wanted.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == wanted,
        };
        self.tool
            .split('|')
            .find_map(|wanted| offered.iter().find(|tool| fits(&tool.name, wanted.trim())))
    }
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            provider: None,
            model: None,
            key: None,
            skip: 0,
            every: 1,
            count: None,
            percent: 100,
            fault: "none".to_owned(),
            lines: Vec::new(),
        }
    }
}

impl Rule {
    /// A rule that fires for every request.
    #[must_use]
    pub fn always(fault: &str) -> Self {
        Self { fault: fault.to_owned(), ..Self::default() }
    }

    /// A healthy rule that says these lines.
    #[must_use]
    pub fn says(lines: Vec<Line>) -> Self {
        Self { lines, ..Self::default() }
    }

    /// Only requests to this provider.
    #[must_use]
    pub fn at(self, provider: &str) -> Self {
        Self { provider: Some(provider.to_owned()), ..self }
    }

    /// At most so many times.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self { count: Some(count), ..self }
    }
}

/// A script that cannot be played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptError(pub(crate) String);

impl std::fmt::Display for ScriptError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ScriptError {}

/// A script being played.
#[derive(Debug, Default)]
pub(crate) struct Playing(Vec<RuleState>);

#[derive(Debug)]
struct RuleState {
    rule: Rule,
    call: Option<FaultCall>,
    lines: Vec<Arc<Line>>,
    seen: u64,
    fired: u64,
}

impl Playing {
    pub(crate) fn new(script: Script) -> Result<Self, ScriptError> {
        script.rules.into_iter().map(state).collect::<Result<_, _>>().map(Self)
    }

    /// The fault and the line for a request, of the first rule that fires for it.
    pub(crate) fn decide(
        &mut self,
        provider: &str,
        ask: &Ask,
        key: &str,
        chance: &mut Chance,
    ) -> (Option<FaultCall>, Option<Arc<Line>>) {
        let mut matching = self.0.iter_mut().filter(|state| state.matches(provider, ask, key));
        let fired = matching
            .find_map(|state| state.fires(chance).then(|| (state.call.clone(), state.line(ask))));
        fired.unwrap_or_default()
    }
}

fn state(rule: Rule) -> Result<RuleState, ScriptError> {
    let call = FaultCall::parse(&rule.fault);
    if call.is_none() && rule.fault != "none" {
        return Err(ScriptError(format!("unknown fault `{}`", rule.fault)));
    }
    if let Some(call) = call.as_ref().filter(|call| call.fault.is_listener()) {
        let id = call.fault.id;
        return Err(ScriptError(format!("`{id}` is played by a listener, not by a script")));
    }
    let lines = rule.lines.iter().cloned().map(Arc::new).collect();
    Ok(RuleState { rule, call, lines, seen: 0, fired: 0 })
}

impl RuleState {
    fn matches(&self, provider: &str, ask: &Ask, key: &str) -> bool {
        let Rule { provider: p, model: m, key: k, .. } = &self.rule;
        p.as_ref().is_none_or(|wanted| wanted == provider)
            && m.as_ref().is_none_or(|part| ask.model.contains(part.as_str()))
            && k.as_ref().is_none_or(|end| key.ends_with(end.as_str()))
            && self.line(ask).is_none_or(|line| playable(&line, ask))
    }

    /// The line of the round.
    fn line(&self, ask: &Ask) -> Option<Arc<Line>> {
        let round = usize::try_from(ask.rounds).unwrap_or(usize::MAX);
        self.lines.get(round).or_else(|| self.lines.last()).cloned()
    }

    fn fires(&mut self, chance: &mut Chance) -> bool {
        let place = self.seen.checked_sub(self.rule.skip);
        self.seen += 1;
        let turn = place.is_some_and(|place| place % self.rule.every.max(1) == 0);
        let left = self.rule.count.is_none_or(|count| self.fired < count);
        let fires = turn && left && chance.strikes(self.rule.percent.into());
        self.fired += u64::from(fires);
        fires
    }
}

fn playable(line: &Line, ask: &Ask) -> bool {
    line.calls.is_empty() || line.calls.iter().any(|call| call.among(&ask.tools).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;

    fn played(rules: Vec<Rule>, requests: usize) -> String {
        let mut playing = Playing::new(Script { rules }).unwrap();
        let mut chance = Chance::new(9);
        let ask = Ask::new(Dialect::OpenAi, "m".to_owned());
        let one = |_| match playing.decide("a", &ask, "key", &mut chance).0 {
            Some(_) => 'x',
            None => '.',
        };
        (0..requests).map(one).collect()
    }

    #[test]
    fn rules_skip_alternate_and_run_out() {
        let rule = Rule { skip: 1, every: 2, count: Some(3), ..Rule::always("f21") };
        assert_eq!(played(vec![rule], 9), ".x.x.x...");
    }

    #[test]
    fn a_forced_health_hides_later_rules() {
        let rules = vec![Rule::always("none").times(2), Rule::always("f21")];
        assert_eq!(played(rules, 4), "..xx");
    }

    #[test]
    fn half_by_toss_is_about_half_and_replays() {
        let rules = || vec![Rule { percent: 50, ..Rule::always("f18") }];
        let run = played(rules(), 1_000);
        let failed = run.matches('x').count();
        assert!((430..570).contains(&failed), "{failed}");
        assert_eq!(run, played(rules(), 1_000));
    }

    #[test]
    fn a_call_names_tools_in_order_of_preference() {
        let tool = |name: &str| Tool { name: name.to_owned(), schema: Value::Null };
        let offered = [tool("shell_command"), tool("Bash")];
        let picked = |names: &str| {
            let call = LineCall { tool: names.to_owned(), arguments: Value::Null };
            call.among(&offered).map(|tool| tool.name.clone())
        };
        assert_eq!(picked("Bash|shell*").as_deref(), Some("Bash"));
        assert_eq!(picked("shell*|Bash").as_deref(), Some("shell_command"));
        assert_eq!(picked("shell"), None);
    }

    #[test]
    fn a_script_with_an_unknown_or_listener_fault_is_refused() {
        for fault in ["f99", "f02"] {
            assert!(Playing::new(Script { rules: vec![Rule::always(fault)] }).is_err(), "{fault}");
        }
    }
}
