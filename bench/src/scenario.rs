//! What is measured under load: a flat table. Adding a scenario is adding a row.

/// A model name as both sides understand it. To the upstream it is `bench-EVENTS[-GAPms][-note]`:
/// so many content events, so far apart. To the gateway it is a group of one deployment.
#[derive(Debug)]
pub struct Model {
    /// The name.
    pub name: &'static str,
    /// Whether the gateway asks for a stream on its own account.
    pub upstream_stream: &'static str,
}

/// Every model of the load scenarios.
pub const MODELS: &[Model] = &[
    Model { name: SHORT_MODEL, upstream_stream: "auto" },
    Model { name: "bench-1-0ms-never", upstream_stream: "never" },
    Model { name: "bench-1-2ms", upstream_stream: "auto" },
    Model { name: "bench-60-2ms", upstream_stream: "auto" },
    Model { name: HELD_MODEL, upstream_stream: "auto" },
];

/// The model that answers with one event, at once.
pub const SHORT_MODEL: &str = "bench-1";
/// The model whose streams are held open: two minutes long, an event every two seconds.
pub const HELD_MODEL: &str = "bench-60-2000ms";
/// The model that the upstream answers with 503 at once.
pub const FAULT_MODEL: &str = "bench-fault";
/// The model that answers in its place.
pub const SPARE_MODEL: &str = "bench-1-0ms-spare";
/// The simulator's model that answers 503 at once.
pub const SIM_FAULT_MODEL: &str = "sim-1-fault-f19";
/// The name clients ask for to meet it.
pub const SIM_GROUP: &str = "sim-faulty";

/// One kind of load.
#[derive(Debug)]
pub struct Scenario {
    /// What readers know it by.
    pub name: &'static str,
    /// The model asked for.
    pub model: &'static str,
    /// Whether the client asks for a stream.
    pub stream: bool,
    /// Size of the request body.
    pub prompt_bytes: usize,
    /// Requests a second; low enough for one core to keep up at ten times the goal's cost.
    pub rate: f64,
    /// The most CPU time, as a multiple of the null proxy's.
    pub goal: f64,
}

/// Streams of few events.
pub const SHORT_STREAM: &str = "4 KiB, streamed, 1 event";
/// The same with many events: the difference is what events cost.
pub const LONG_STREAM: &str = "4 KiB, streamed, 60 events";

/// All of them, in the order of the table.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "4 KiB, upstream_stream: never",
        model: "bench-1-0ms-never",
        stream: false,
        prompt_bytes: 4 << 10,
        rate: 1_000.0,
        goal: 2.5,
    },
    Scenario {
        name: "4 KiB, unstreamed, upstream streams",
        model: SHORT_MODEL,
        stream: false,
        prompt_bytes: 4 << 10,
        rate: 1_000.0,
        goal: 2.5,
    },
    Scenario {
        name: SHORT_STREAM,
        model: "bench-1-2ms",
        stream: true,
        prompt_bytes: 4 << 10,
        rate: 1_000.0,
        goal: 2.5,
    },
    Scenario {
        name: LONG_STREAM,
        model: "bench-60-2ms",
        stream: true,
        prompt_bytes: 4 << 10,
        rate: 80.0,
        goal: 2.5,
    },
    Scenario {
        name: "200 KB prompt",
        model: "bench-1-0ms-never",
        stream: false,
        prompt_bytes: 200_000,
        rate: 200.0,
        goal: 3.0,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_asks_for_a_model_that_is_served() {
        for scenario in SCENARIOS {
            assert!(MODELS.iter().any(|model| model.name == scenario.model), "{}", scenario.name);
        }
        for name in [SHORT_STREAM, LONG_STREAM] {
            assert!(SCENARIOS.iter().any(|scenario| scenario.name == name), "{name}");
        }
    }
}
