//! The simulator's own pages under `/sim/`: health, bill, journal, script, reset, faults.
//!
//! JSON in and out, no authentication: the simulator is for tests and benchmarks, on a loopback
//! address.

use serde_json::{Value, json};

use crate::fault::{FAULTS, Fault};
use crate::reply::Reply;
use crate::script::Script;
use crate::sim::Sim;

pub(crate) fn answer(sim: &Sim, method: &str, what: &str, body: &[u8]) -> Reply {
    match (method, what) {
        ("GET", "health") => good(&json!({ "ok": true, "open_connections": sim.open_connections(),
                "received_bytes": sim.received_bytes() })),
        ("GET", "bill") => good(&json!(sim.bill())),
        ("GET", "journal") => good(&json!({ "entries": sim.journal() })),
        ("GET", "faults") => good(&FAULTS.iter().map(fault).collect()),
        ("POST", "script") => script(sim, body),
        ("POST", "reset") => {
            sim.reset();
            good(&json!({ "ok": true }))
        }
        _ => bad(404, "no such page"),
    }
}

fn good(value: &Value) -> Reply {
    Reply::json(200, value.to_string())
}

fn bad(status: u16, message: &str) -> Reply {
    Reply::json(status, json!({ "error": { "message": message } }).to_string())
}

fn fault(fault: &Fault) -> Value {
    json!({ "id": fault.id, "name": fault.name, "doc": fault.doc, "variants": fault.variants,
        "listener": fault.is_listener() })
}

fn script(sim: &Sim, body: &[u8]) -> Reply {
    let script: Script = match serde_json::from_slice(body) {
        Ok(script) => script,
        Err(error) => return bad(400, &error.to_string()),
    };
    match sim.script(script) {
        Ok(()) => good(&json!({ "ok": true })),
        Err(error) => bad(400, &error.to_string()),
    }
}
