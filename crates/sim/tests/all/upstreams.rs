//! What each of the later dialects and vendors has of its own.

use serde_json::{Value, json};
use sim::Dialect;

use crate::client::{asked, body, path, provider, question, request, send};
use crate::dialects::with_tool;

const KEY: &str = "authorization: Bearer sk-0123456789\r\n";

fn schema() -> Value {
    json!({ "type": "object", "properties": { "city": { "type": "string" } } })
}

/// The kinds of a stream's events, each once in a row.
fn kinds(events: &[Value]) -> Vec<String> {
    let mut kinds: Vec<String> =
        events.iter().map(|event| event["type"].as_str().unwrap_or_default().to_owned()).collect();
    kinds.dedup();
    kinds
}

#[tokio::test(start_paused = true)]
async fn a_responses_stream_keeps_the_event_order_and_counts_its_events() {
    let seen = send(&provider(), &asked(Dialect::Responses, "m", true)).await;
    let events = seen.events();
    let wanted = [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ];
    let wanted: Vec<String> = wanted.iter().map(|kind| format!("response.{kind}")).collect();
    assert_eq!(kinds(&events), wanted);
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], at);
    }
    let whole = &events.last().unwrap()["response"];
    assert_eq!(whole["output"][0]["content"][0]["text"], seen.text());
    assert_eq!(whole["usage"]["output_tokens"], 60);
    assert_eq!(whole["status"], "completed");
}

#[tokio::test(start_paused = true)]
async fn responses_call_tools_at_once_and_cut_answers_are_incomplete() {
    let mut asking = question(Dialect::Responses, "m", true);
    asking["input"][0]["content"] = "both cities".into();
    let asking = with_tool(asking, Dialect::Responses, "weather", &schema());
    let seen = send(&provider(), &body(Dialect::Responses, "m", true, &asking)).await;
    let events = seen.events();
    let output = events.last().unwrap()["response"]["output"].clone();
    assert_eq!(output.as_array().unwrap().len(), 2);
    let mut said = [String::new(), String::new()];
    for event in &events {
        if event["type"] == "response.function_call_arguments.delta" {
            let at = event["output_index"].as_u64().unwrap() as usize;
            said[at] += event["delta"].as_str().unwrap();
        }
    }
    assert_eq!(output[1]["arguments"], said[1]);
    assert_ne!(output[0]["call_id"], output[1]["call_id"]);
    let mut asking = question(Dialect::Responses, "m", false);
    asking["max_output_tokens"] = 20.into();
    let seen = send(&provider(), &body(Dialect::Responses, "m", false, &asking)).await.json();
    assert_eq!(seen["status"], "incomplete");
    assert_eq!(seen["incomplete_details"]["reason"], "max_output_tokens");
}

#[tokio::test(start_paused = true)]
async fn responses_tell_and_seal_reasoning_only_when_asked() {
    let mut asking = question(Dialect::Responses, "m-think", false);
    let first = async |asking: &Value| {
        let bytes = body(Dialect::Responses, "m-think", false, asking);
        send(&provider(), &bytes).await.json()["output"][0].clone()
    };
    let plain = first(&asking).await;
    assert_eq!((&plain["type"], &plain["summary"]), (&json!("reasoning"), &json!([])));
    assert!(plain.get("encrypted_content").is_none());
    asking["reasoning"] = json!({ "summary": "auto" });
    asking["include"] = json!(["reasoning.encrypted_content"]);
    let told = first(&asking).await;
    assert!(told["summary"][0]["text"].as_str().unwrap().contains(' '));
    for (seal, status) in [(told["encrypted_content"].clone(), 200), (json!("foreign"), 400)] {
        let item = json!({ "type": "reasoning", "id": "rs_1", "summary": [],
            "encrypted_content": seal });
        let turn = json!({ "role": "user", "content": "go on" });
        let next = json!({ "model": "m", "input": [item, turn] });
        let seen = send(&provider(), &body(Dialect::Responses, "m", false, &next)).await;
        assert_eq!(seen.status, status, "{}", seen.body_text());
    }
}

#[tokio::test(start_paused = true)]
async fn responses_are_kept_continued_and_forgotten() {
    let provider = provider();
    let bytes = |asking: &Value| body(Dialect::Responses, "m", false, asking);
    let first = send(&provider, &asked(Dialect::Responses, "m", false)).await.json();
    let id = first["id"].as_str().unwrap();
    let next = json!({ "model": "m", "input": "and then?", "previous_response_id": id });
    let second = send(&provider, &bytes(&next)).await.json();
    let input = |answer: &Value| answer["usage"]["input_tokens"].as_u64().unwrap();
    assert!(input(&second) > input(&first) + 50, "the first answer was heard");
    let at =
        |method: &str| format!("{method} /v1/responses/{id} HTTP/1.1\r\n{KEY}\r\n").into_bytes();
    assert_eq!(send(&provider, &at("GET")).await.json(), first);
    assert_eq!(send(&provider, &at("DELETE")).await.json()["deleted"], true);
    assert_eq!(send(&provider, &at("GET")).await.status, 404);
    let lost = send(&provider, &bytes(&next)).await;
    assert_eq!(lost.json()["error"]["code"], "previous_response_not_found");
    let unkept = json!({ "model": "m", "input": "hm", "store": false });
    let unkept = send(&provider, &bytes(&unkept)).await.json();
    let gone = json!({ "model": "m", "input": "x", "previous_response_id": unkept["id"] });
    assert_eq!(send(&provider, &bytes(&gone)).await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn a_failed_response_says_so_after_the_error() {
    let seen = send(&provider(), &asked(Dialect::Responses, "m-fault-f25-after", true)).await;
    let events = seen.events();
    let [.., error, failed] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((&error["type"], &failed["type"]), (&json!("error"), &json!("response.failed")));
    assert_eq!(failed["response"]["error"]["code"], "server_error");
    let numbers: Vec<u64> =
        events.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted());
}

#[tokio::test(start_paused = true)]
async fn converse_streams_frames_and_ends_with_its_usage() {
    let seen = send(&provider(), &asked(Dialect::Bedrock, "m-think", true)).await;
    let mut kinds: Vec<String> = seen.frames().into_iter().map(|frame| frame.0).collect();
    kinds.dedup();
    let block = ["contentBlockDelta", "contentBlockStop"];
    let wanted = [&["messageStart"][..], &block, &block, &["messageStop", "metadata"]].concat();
    assert_eq!(kinds, wanted);
    let usage = &seen.events().pop().unwrap()["usage"];
    assert_eq!(usage["outputTokens"], 72);
    assert!(seen.header("x-amzn-requestid").is_some());
}

#[tokio::test(start_paused = true)]
async fn converse_fails_with_named_exceptions_before_and_inside_the_stream() {
    for (fault, status, name) in [
        ("f13", 429, "ThrottlingException"),
        ("f16", 400, "ServiceQuotaExceededException"),
        ("f17", 403, "UnrecognizedClientException"),
        ("f18", 500, "InternalServerException"),
        ("f49", 400, "ValidationException"),
    ] {
        let seen =
            send(&provider(), &asked(Dialect::Bedrock, &format!("m-fault-{fault}"), true)).await;
        assert_eq!((seen.status, seen.header("x-amzn-errortype")), (status, Some(name)));
        assert!(seen.json()["message"].is_string());
    }
    let seen = send(&provider(), &asked(Dialect::Bedrock, "m-fault-f25-after:429", true)).await;
    assert_eq!(seen.frames().last().unwrap().0, "throttlingException");
    let broken = send(&provider(), &asked(Dialect::Bedrock, "m-fault-f26", true)).await;
    assert_eq!(broken.frames().len(), 21, "the sum of the next frame does not fit");
}

#[tokio::test(start_paused = true)]
async fn a_signed_request_is_told_by_its_scope_and_a_half_signed_one_refused() {
    let signature = "0123456789abcdef".repeat(4);
    let signed = format!(
        "x-amz-date: 20260101T000000Z\r\nauthorization: AWS4-HMAC-SHA256 \
         Credential=AKIA0123456789/20260101/us-east-1/bedrock/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature={signature}\r\n"
    );
    let (path, asking) =
        (path(Dialect::Bedrock, "m", false), question(Dialect::Bedrock, "m", false));
    let post = |headers: &str| request(&path, headers, asking.to_string().as_bytes());
    let provider = provider();
    assert_eq!(send(&provider, &post(&signed)).await.status, 200);
    let entry = provider.sim().journal().pop().unwrap();
    assert_eq!(entry.scheme, "AWS4-HMAC-SHA256 20260101/us-east-1/bedrock/aws4_request");
    assert_eq!(entry.key, "6789");
    let half = signed.replace("host;", "");
    assert_eq!(send(&provider, &post(&half)).await.status, 403);
}

#[tokio::test(start_paused = true)]
async fn cohere_plans_calls_and_ends_with_reason_and_usage() {
    let asking = question(Dialect::Cohere, "m", true);
    let asking = with_tool(asking, Dialect::Cohere, "weather", &schema());
    let seen = send(&provider(), &body(Dialect::Cohere, "m", true, &asking)).await;
    let events = seen.events();
    let wanted = [
        "message-start",
        "tool-plan-delta",
        "tool-call-start",
        "tool-call-delta",
        "tool-call-end",
        "message-end",
    ];
    assert_eq!(kinds(&events), wanted);
    let end = &events.last().unwrap()["delta"];
    assert_eq!(end["finish_reason"], "TOOL_CALL");
    assert!(end["usage"]["billed_units"]["output_tokens"].as_u64().unwrap() > 4);
}

#[tokio::test(start_paused = true)]
async fn azure_wants_a_version_and_tells_what_its_filter_found() {
    let asking = question(Dialect::OpenAi, "", true).to_string();
    let post = |path: &str| request(path, "api-key: 0123456789abcdef\r\n", asking.as_bytes());
    let place = "/openai/deployments/dep/chat/completions";
    assert_eq!(send(&provider(), &post(place)).await.status, 404);
    let seen = send(&provider(), &post(&format!("{place}?api-version=2024-10-21"))).await;
    let events = seen.events();
    assert_eq!(events[0]["choices"], json!([]));
    assert!(events[0]["prompt_filter_results"].is_array());
    assert_eq!(events[1]["model"], "dep");
    assert_eq!(events[1]["choices"][0]["content_filter_results"], json!({}));
    let refused = place.replace("dep/", "dep-fault-f50/");
    let seen = send(&provider(), &post(&format!("{refused}?api-version=1"))).await;
    assert_eq!(seen.json()["error"]["code"], "content_filter");
}

#[tokio::test(start_paused = true)]
async fn googles_cloud_takes_bearer_tokens_and_its_own_kind_of_body() {
    let place = "/v1/projects/p/locations/l/publishers";
    let gemini = format!("{place}/google/models/m:generateContent");
    let asking = question(Dialect::Gemini, "m", false).to_string();
    let keyed = request(&gemini, "x-goog-api-key: 0123456789\r\n", asking.as_bytes());
    assert_eq!(send(&provider(), &keyed).await.status, 401);
    let bearing = request(&gemini, KEY, asking.as_bytes());
    assert_eq!(send(&provider(), &bearing).await.status, 200);
    let claude = format!("{place}/anthropic/models/claude:streamRawPredict");
    let mut asking = question(Dialect::Anthropic, "claude", true);
    let post = |asking: &Value| request(&claude, KEY, asking.to_string().as_bytes());
    assert_eq!(send(&provider(), &post(&asking)).await.status, 400, "no version");
    asking["anthropic_version"] = "vertex-2023-10-16".into();
    assert_eq!(send(&provider(), &post(&asking)).await.status, 400, "a model");
    asking.as_object_mut().unwrap().remove("model");
    let seen = send(&provider(), &post(&asking)).await;
    assert_eq!(seen.events()[0]["message"]["model"], "claude");
}
