//! What goes upstream for each client's request.

use super::folder::{Sections, cases, check, shown};
use super::{DOORS, UPSTREAMS, Upstream};
use crate::samples::dialect;
use serde_json::Value;
use wire::dialect::{Encoded, Target};
use wire::error::DecodeError;
use wire::hub::Request;

fn read(door: &str, body: &str) -> Request {
    let door = dialect(door);
    let path_model = (!door.model_in_body).then_some("m");
    (door.decode_request)(body.as_bytes(), path_model, true).expect("a good request")
}

fn written(request: &Request, upstream: &Upstream, stream: bool) -> Encoded {
    let quirks = upstream.quirks();
    let target =
        Target { model: "up", stream, default_max_tokens: 4096, quirks: &quirks, prefill: None };
    (upstream.dialect().encode_request)(request, &target)
}

fn reread(upstream: &Upstream, body: &[u8]) -> Result<Request, DecodeError> {
    let path_model = (!upstream.dialect().model_in_body).then_some("up");
    (upstream.dialect().decode_request)(body, path_model, true)
}

fn sent(request: &Request, upstream: &Upstream) -> String {
    let encoded = written(request, upstream, true);
    let path = (upstream.dialect().path)("up", true);
    let dropped = encoded.dropped.join(", ");
    format!("POST {path}\n{}dropped: {dropped}\n", shown(&encoded.body))
}

#[test]
fn every_upstream_is_asked_as_the_golden_files_say() {
    for (case, asked) in cases("asked.txt") {
        for upstream in UPSTREAMS {
            let sections: Sections = asked
                .iter()
                .map(|(door, body)| (door.clone(), sent(&read(door, body), upstream)))
                .collect();
            check(&case, &format!("sent.{}.txt", upstream.name), sections);
        }
    }
}

#[test]
fn every_case_of_a_request_is_asked_at_known_doors() {
    for (case, asked) in cases("asked.txt") {
        for (door, _) in &asked {
            assert!(DOORS.contains(&door.as_str()), "{case}: {door}");
        }
    }
}

#[test]
fn asking_for_a_stream_changes_nothing_else() {
    for (case, asked) in cases("asked.txt") {
        for (door, body) in &asked {
            for upstream in UPSTREAMS {
                let request = read(door, body);
                let [streamed, whole] = [true, false].map(|stream| {
                    let encoded = written(&request, upstream, stream);
                    let mut body: Value = serde_json::from_slice(&encoded.body).expect("JSON");
                    let members = body.as_object_mut().expect("an object");
                    members.retain(|key, _| key != "stream" && key != "stream_options");
                    (body, encoded.dropped)
                });
                assert_eq!(streamed, whole, "{case}: {door} -> {}", upstream.name);
            }
        }
    }
}

#[test]
fn what_an_upstream_is_asked_its_own_dialect_reads() {
    for (case, asked) in cases("asked.txt") {
        for (door, body) in &asked {
            for upstream in UPSTREAMS {
                let pair = format!("{case}: {door} -> {}", upstream.name);
                let asked = read(door, body);
                let encoded = written(&asked, upstream, true);
                let again = reread(upstream, &encoded.body).expect(&pair);
                assert_eq!(again.tools.len(), asked.tools.len(), "{pair}");
                let texts = |request: &Request| {
                    let parts = request.messages.iter().flat_map(|message| &message.parts);
                    crate::samples::said(&parts.cloned().collect::<Vec<_>>()).1
                };
                assert_eq!(texts(&again), texts(&asked), "{pair}: calls");
            }
        }
    }
}
