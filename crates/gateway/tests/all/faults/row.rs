//! A row of the table, and the check that every row passes: with B and alone, streamed and not, in
//! each of A's dialects.

use std::time::Duration;

use sim::MemoryPeer;

use crate::harness::{Place, Reply, Setup, Stage, ask};

pub(super) const DIALECTS: &[&str] = &[
    "openai_chat",
    "openai_responses",
    "anthropic_messages",
    "gemini",
    "bedrock_converse",
    "cohere_v2",
];

/// Those whose errors say that they are errors, whatever the status.
pub(super) const LABELLED: &[&str] =
    &["openai_chat", "openai_responses", "anthropic_messages", "gemini"];

/// Those whose streams are text.
pub(super) const TEXTUAL: &[&str] =
    &["openai_chat", "openai_responses", "anthropic_messages", "gemini", "cohere_v2"];

/// Those whose streams can say in words what went wrong: Cohere's only end with a failure.
pub(super) const OUTSPOKEN: &[&str] =
    &["openai_chat", "openai_responses", "anthropic_messages", "gemini", "bedrock_converse"];

/// What a fault before the first content looks like from all sides.
#[derive(Clone)]
pub(super) struct Row {
    /// The fault as the simulator's script calls it; "" when `place` plays it.
    pub(super) fault: &'static str,
    /// What is behind A's name instead of A.
    pub(super) place: Option<fn() -> Place>,
    /// The dialects of A in which it is played.
    pub(super) dialects: &'static [&'static str],
    /// Whether the client asks for a stream.
    pub(super) streams: &'static [bool],
    /// Whether it is also played on upstreams that are never asked for a stream.
    pub(super) unstreamed: bool,
    /// The word for it in headers and logs.
    pub(super) reason: &'static str,
    /// Attempts on A before B is asked.
    pub(super) tries: u32,
    /// When B's first byte may come at the earliest and at the latest, in milliseconds.
    pub(super) within: (u64, u64),
    /// Status, type and code when A is alone.
    pub(super) solo: (u16, &'static str, &'static str),
    /// Whether the client alone with A is told when to come back.
    pub(super) retry_after: Option<&'static str>,
    /// Whether A is tried again when it is alone.
    pub(super) retried: bool,
    /// Whether the breaker counts it.
    pub(super) counted: bool,
    /// How each attempt on A is booked.
    pub(super) ledger: &'static str,
}

impl Row {
    /// A counted failure whose cost is uncertain, known at once.
    pub(super) const UNCERTAIN: Self = Self {
        fault: "",
        place: None,
        dialects: DIALECTS,
        streams: &[false, true],
        unstreamed: true,
        reason: "",
        tries: 1,
        within: (0, 50),
        solo: (502, "upstream_error", ""),
        retry_after: None,
        retried: true,
        counted: true,
        ledger: "uncertain",
    };

    /// A counted failure of connecting: nothing was sent.
    pub(super) const UNSENT: Self =
        Self { ledger: "released", dialects: &["openai_chat"], ..Self::UNCERTAIN };

    /// A refusal that says nothing about A's health and costs nothing.
    pub(super) const REFUSED: Self =
        Self { ledger: "released", counted: false, retried: false, ..Self::UNCERTAIN };
}

/// A place where this peer stands.
pub(super) fn peer(peer: MemoryPeer) -> Place {
    Place::Peer(peer)
}

/// One way of playing a row.
#[derive(Clone, Copy, Debug)]
struct Play {
    dialect: &'static str,
    stream: bool,
    /// A is never asked for a stream.
    unstreamed: bool,
}

impl Row {
    async fn stage(&self, play: Play) -> Stage {
        let group = if play.unstreamed { "upstream_stream: never" } else { "" }.to_owned();
        let place_a = self.place.map(|place| place());
        let stage = Setup { place_a, group, ..Setup::dialect(play.dialect) }.start().await;
        if !self.fault.is_empty() {
            stage.fault(self.fault);
        }
        // One strike beforehand tells "ignored" from "reset".
        stage.strike("a");
        stage
    }

    /// Plays the row in all its ways.
    pub(super) async fn check(&self) {
        for dialect in self.dialects {
            for stream in self.streams {
                self.play(Play { dialect, stream: *stream, unstreamed: false }).await;
            }
            if self.unstreamed {
                self.play(Play { dialect, stream: false, unstreamed: true }).await;
            }
        }
    }

    async fn play(&self, play: Play) {
        println!("{} {play:?}, with B", self.fault);
        self.with_b(play).await;
        println!("{} {play:?}, alone", self.fault);
        self.alone(play).await;
    }

    async fn with_b(&self, play: Play) {
        let stage = self.stage(play).await;
        let reply = stage.ask(&ask("pair").streamed(play.stream)).await;
        reply.assert_from_b(self.reason, &(self.tries + 1).to_string());
        let (least, most) = self.within;
        let span = Duration::from_millis(least)..=Duration::from_millis(most);
        assert!(span.contains(&reply.first_byte), "{:?}", reply.first_byte);
        self.assert_attempts(&stage, self.tries, Some("final"));
        let line = stage.last_request();
        assert_eq!(line["requested_model"], "pair");
        assert_eq!(line["served_model"], "b/m");
        let fallback = stage.lines("fallback").pop().unwrap_or_default();
        assert_eq!(fallback["requested_model"], "pair");
        assert_eq!((&fallback["from"], &fallback["to"]), (&"a/m".into(), &"b/m".into()));
        assert_eq!(fallback["reason"], self.reason);
        let decision = fallback["decision_us"].as_u64().unwrap();
        assert!(decision <= 500_000, "decided after {decision} us");
        self.assert_journal(&stage, self.tries, 1);
        self.assert_strikes(&stage, play, self.tries).await;
    }

    async fn alone(&self, play: Play) {
        let stage = self.stage(play).await;
        let reply = stage.ask(&ask("solo").streamed(play.stream)).await;
        let (status, kind, code) = self.solo;
        assert_eq!(reply.error(), (status, kind.to_owned(), code.to_owned()));
        assert!(!reply.raw().contains("key-of-a"), "{}", reply.raw());
        self.assert_advice(&reply);
        let tries = if self.retried { 2 } else { 1 };
        assert_eq!(reply.header("x-weighbridge-attempts"), tries.to_string());
        self.assert_attempts(&stage, tries, None);
        assert_eq!(stage.last_request()["code"], code);
        self.assert_journal(&stage, tries, 0);
        self.assert_strikes(&stage, play, tries).await;
    }

    fn assert_advice(&self, reply: &Reply) {
        assert_eq!(reply.header("retry-after"), self.retry_after.unwrap_or_default());
        if self.retry_after.is_none() {
            assert_eq!(reply.header("x-should-retry"), "false");
        }
    }

    fn assert_attempts(&self, stage: &Stage, tries: u32, then: Option<&str>) {
        let failed = ("a/m".to_owned(), self.reason.to_owned(), self.ledger.to_owned());
        let mut wanted = vec![failed; tries as usize];
        wanted.extend(then.map(|kind| ("b/m".to_owned(), "ok".to_owned(), kind.to_owned())));
        assert_eq!(stage.attempts(), wanted);
        let booked = stage.books.entries();
        assert_eq!(booked.len(), wanted.len(), "one row an attempt");
        for (entry, (_, _, kind)) in booked.iter().zip(&wanted) {
            assert_eq!(entry.kind.name(), kind);
            let free = entry.cost.as_nanousd() == 0;
            assert_eq!(free, kind == "released", "{entry:?}");
        }
    }

    fn assert_journal(&self, stage: &Stage, tries: u32, b: usize) {
        if self.place.is_none() {
            assert_eq!(stage.asked("a").len(), tries as usize);
        }
        assert_eq!(stage.asked("b").len(), b);
        assert!(stage.asked("b").iter().all(sim::Entry::finished));
    }

    async fn assert_strikes(&self, stage: &Stage, play: Play, tries: u32) {
        stage.quiet().await;
        let booked = stage.app.core.ledger.totals().settled.as_nanousd();
        let bill = stage.sim.bill().total_nanousd;
        // What a body that broke off had held of an answer is not known, only its prompt is.
        let known = booked >= bill || play.unstreamed;
        assert!(known, "booked {booked}, charged {bill}");
        assert_eq!(stage.strikes("a"), if self.counted { 1 + tries } else { 1 }, "A's strikes");
        assert_eq!(stage.strikes("b"), 0, "B's strikes");
    }
}
