//! How providers count tokens, habit by habit: the reader of answers, the reader of streams and the
//! meter of relayed streams must all come to the same counts.

use crate::samples::{ANTHROPIC, GEMINI, dialect};
use serde_json::{Value, json};
use wire::dialect::{DIALECTS, Quirks};
use wire::hub::{Answer, Choice, Event, Stop, StopReason, Usage};
use wire::replay::{answer_of, events_of};

const OPENAI: &str = "openai_chat";

/// Input, cached input, cache writes of five minutes and of an hour, output, reasoning, audio in
/// and out.
type Counts = [u64; 8];

fn counts(usage: &Usage) -> Counts {
    let Usage { input, cached_input, cache_write, cache_write_1h, output, reasoning, .. } = *usage;
    let audio = (usage.audio_input, usage.audio_output);
    [input, cached_input, cache_write, cache_write_1h, output, reasoning, audio.0, audio.1]
}

/// Whose habit, the dialect, the quirks, the usage as it stands on the wire, what it means.
type Habit = (&'static str, &'static str, fn() -> Quirks, &'static str, Counts);

fn outside() -> Quirks {
    Quirks { reasoning_outside_completion: true, ..Quirks::default() }
}

fn top_level() -> Quirks {
    Quirks { top_level_cached_tokens: true, ..Quirks::default() }
}

/// What nobody takes for sane.
const ABSURD: u64 = u64::MAX;

#[rustfmt::skip]
const HABITS: &[Habit] = &[
    ("openai", OPENAI, Quirks::default, r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"prompt_tokens_details":{"cached_tokens":40,"audio_tokens":5},"completion_tokens_details":{"reasoning_tokens":20,"audio_tokens":3,"accepted_prediction_tokens":0}}"#, [60, 40, 0, 0, 30, 20, 5, 3]),
    ("openai, cache writes", OPENAI, Quirks::default, r#"{"prompt_tokens":100,"completion_tokens":5,"total_tokens":105,"prompt_tokens_details":{"cached_tokens":40,"cache_write_tokens":10}}"#, [50, 40, 10, 0, 5, 0, 0, 0]),
    ("xai, reasoning beside", OPENAI, outside, r#"{"prompt_tokens":12,"completion_tokens":1,"total_tokens":241,"prompt_tokens_details":{"cached_tokens":2},"completion_tokens_details":{"reasoning_tokens":228},"num_sources_used":0,"cost_in_usd_ticks":9}"#, [10, 2, 0, 0, 1, 228, 0, 0]),
    ("xai, told by the total alone", OPENAI, Quirks::default, r#"{"prompt_tokens":12,"completion_tokens":1,"total_tokens":241,"completion_tokens_details":{"reasoning_tokens":228}}"#, [12, 0, 0, 0, 1, 228, 0, 0]),
    ("xai, without a total", OPENAI, outside, r#"{"prompt_tokens":12,"completion_tokens":1,"completion_tokens_details":{"reasoning_tokens":228}}"#, [12, 0, 0, 0, 1, 228, 0, 0]),
    ("groq", OPENAI, Quirks::default, r#"{"queue_time":0.1,"prompt_tokens":17,"prompt_time":0.1,"completion_tokens":649,"completion_time":1.2,"total_tokens":666,"total_time":1.3,"completion_tokens_details":{"reasoning_tokens":570}}"#, [17, 0, 0, 0, 79, 570, 0, 0]),
    ("deepseek, hit and miss", OPENAI, Quirks::default, r#"{"prompt_tokens":100,"completion_tokens":9,"total_tokens":109,"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":36}"#, [36, 64, 0, 0, 9, 0, 0, 0]),
    ("moonshot, cached at the top", OPENAI, top_level, r#"{"prompt_tokens":100,"completion_tokens":9,"total_tokens":109,"cached_tokens":30}"#, [70, 30, 0, 0, 9, 0, 0, 0]),
    ("cached at the top of one that means something else", OPENAI, Quirks::default, r#"{"prompt_tokens":100,"completion_tokens":9,"total_tokens":109,"cached_tokens":30}"#, [100, 0, 0, 0, 9, 0, 0, 0]),
    ("mistral", OPENAI, Quirks::default, r#"{"prompt_tokens":100,"completion_tokens":9,"total_tokens":109,"prompt_audio_seconds":null,"prompt_tokens_details":{"cached_tokens":8},"num_cached_tokens":8}"#, [92, 8, 0, 0, 9, 0, 0, 0]),
    ("perplexity", OPENAI, Quirks::default, r#"{"prompt_tokens":11,"completion_tokens":212,"total_tokens":223,"search_context_size":"low","num_search_queries":1,"cost":{"total_cost":0.005}}"#, [11, 0, 0, 0, 212, 0, 0, 0]),
    ("openrouter", OPENAI, Quirks::default, r#"{"prompt_tokens":11,"completion_tokens":12,"total_tokens":23,"cost":0.1,"is_byok":false,"prompt_tokens_details":{"cached_tokens":0},"cost_details":{"upstream_inference_cost":null},"completion_tokens_details":{"reasoning_tokens":null}}"#, [11, 0, 0, 0, 12, 0, 0, 0]),
    ("details that are null", OPENAI, Quirks::default, r#"{"prompt_tokens":11,"completion_tokens":12,"prompt_tokens_details":null,"completion_tokens_details":null}"#, [11, 0, 0, 0, 12, 0, 0, 0]),
    ("counts that are doubles", OPENAI, Quirks::default, r#"{"prompt_tokens":11.0,"completion_tokens":1e1}"#, [11, 0, 0, 0, 10, 0, 0, 0]),
    ("a negative count", OPENAI, Quirks::default, r#"{"prompt_tokens":-1,"completion_tokens":12}"#, [ABSURD, 0, 0, 0, 12, 0, 0, 0]),
    ("a count that is a text", OPENAI, Quirks::default, r#"{"prompt_tokens":"many","completion_tokens":12}"#, [ABSURD, 0, 0, 0, 12, 0, 0, 0]),
    ("more cached than sent", OPENAI, Quirks::default, r#"{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":9}}"#, [0, 9, 0, 0, 1, 0, 0, 0]),
    ("anthropic, the cache beside", ANTHROPIC, Quirks::default, r#"{"input_tokens":10,"cache_read_input_tokens":1000,"cache_creation_input_tokens":200,"output_tokens":50,"service_tier":"standard"}"#, [10, 1000, 200, 0, 50, 0, 0, 0]),
    ("anthropic, two kinds of writes", ANTHROPIC, Quirks::default, r#"{"input_tokens":10,"cache_read_input_tokens":0,"cache_creation_input_tokens":200,"cache_creation":{"ephemeral_5m_input_tokens":150,"ephemeral_1h_input_tokens":50},"output_tokens":50}"#, [10, 0, 150, 50, 50, 0, 0, 0]),
    ("anthropic, thinking within", ANTHROPIC, Quirks::default, r#"{"input_tokens":10,"output_tokens":50,"output_tokens_details":{"thinking_tokens":30},"server_tool_use":{"web_search_requests":1}}"#, [10, 0, 0, 0, 20, 30, 0, 0]),
    ("anthropic, nulls", ANTHROPIC, Quirks::default, r#"{"input_tokens":10,"cache_read_input_tokens":null,"cache_creation_input_tokens":null,"cache_creation":null,"output_tokens":50}"#, [10, 0, 0, 0, 50, 0, 0, 0]),
    ("anthropic, absurd", ANTHROPIC, Quirks::default, r#"{"input_tokens":-3,"output_tokens":50}"#, [ABSURD, 0, 0, 0, 50, 0, 0, 0]),
    ("gemini, thoughts beside", GEMINI, Quirks::default, r#"{"promptTokenCount":9,"candidatesTokenCount":29,"thoughtsTokenCount":282,"totalTokenCount":320,"trafficType":"ON_DEMAND"}"#, [9, 0, 0, 0, 29, 282, 0, 0]),
    ("gemini, the cache within and tools beside", GEMINI, Quirks::default, r#"{"promptTokenCount":100,"cachedContentTokenCount":60,"toolUsePromptTokenCount":7,"candidatesTokenCount":5}"#, [47, 60, 0, 0, 5, 0, 0, 0]),
    ("gemini, audio", GEMINI, Quirks::default, r#"{"promptTokenCount":100,"candidatesTokenCount":5,"promptTokensDetails":[{"modality":"TEXT","tokenCount":20},{"modality":"AUDIO","tokenCount":80}],"candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":4}]}"#, [100, 0, 0, 0, 5, 0, 80, 4]),
    ("gemini, no candidates", GEMINI, Quirks::default, r#"{"promptTokenCount":100,"totalTokenCount":100}"#, [100, 0, 0, 0, 0, 0, 0, 0]),
];

/// An unstreamed answer with this usage.
fn answer_with(dialect: &str, usage: &Value) -> Value {
    match dialect {
        ANTHROPIC => json!({"id": "i", "type": "message", "role": "assistant", "model": "m",
            "content": [{"type": "text", "text": "x"}], "stop_reason": "end_turn", "usage": usage}),
        GEMINI => json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "x"}]},
            "finishReason": "STOP"}], "usageMetadata": usage}),
        _ => json!({"id": "i", "model": "m", "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": "x"}}], "usage": usage}),
    }
}

/// A stream that tells this usage as its provider does: OpenAI after the end, Anthropic in parts
/// and cumulatively, Gemini anew in every event.
fn stream_with(dialect: &str, usage: &Value) -> Vec<Value> {
    let mut early = usage.clone();
    match dialect {
        ANTHROPIC => {
            early["output_tokens"] = json!(1);
            early.as_object_mut().unwrap().shift_remove("output_tokens_details");
            let mut late = json!({"output_tokens": usage["output_tokens"]});
            if let Some(details) = usage.get("output_tokens_details") {
                late["output_tokens_details"] = details.clone();
            }
            vec![
                json!({"type": "message_start", "message": {"id": "i", "type": "message",
                    "role": "assistant", "model": "m", "content": [], "usage": early}}),
                json!({"type": "content_block_start", "index": 0,
                    "content_block": {"type": "text", "text": "x"}}),
                json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"},
                    "usage": {"output_tokens": 2}}),
                json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"},
                    "usage": late}),
                json!({"type": "message_stop"}),
            ]
        }
        GEMINI => {
            if let Some(count) = early.get_mut("candidatesTokenCount") {
                *count = json!(1);
            }
            let part = json!({"content": {"role": "model", "parts": [{"text": "x"}]}});
            vec![
                json!({"candidates": [part], "usageMetadata": early}),
                json!({"candidates": [{"finishReason": "STOP"}], "usageMetadata": usage}),
            ]
        }
        _ => vec![
            chunk(json!({"content": "x"}), Value::Null, json!({"usage": null})),
            chunk(json!({}), json!("stop"), json!({})),
            json!({"id": "i", "model": "m", "choices": [], "usage": usage}),
        ],
    }
}

fn chunk(delta: Value, finish: Value, more: Value) -> Value {
    let mut chunk = json!({"id": "i", "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
    chunk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    chunk
}

fn streamed(id: &str, quirks: &Quirks, stream: &[Value]) -> Option<Usage> {
    let mut reader = (dialect(id).decode_events)(quirks);
    let mut events = Vec::new();
    for event in stream {
        reader.event(None, event.to_string().as_bytes(), &mut events).unwrap();
    }
    reader.end(&mut events);
    answer_of(&events).usage
}

fn metered(id: &str, quirks: &Quirks, stream: &[Value]) -> Option<Usage> {
    let mut meter = (dialect(id).meter)(quirks);
    let seen = stream.iter().map(|event| meter.event(None, event.to_string().as_bytes()).unwrap());
    seen.filter_map(|seen| seen.usage).last()
}

#[test]
fn every_habit_of_counting_is_undone_alike_in_answers_streams_and_meters() {
    for (habit, id, quirks, usage, expected) in HABITS {
        let quirks = quirks();
        let usage: Value = serde_json::from_str(usage).unwrap();
        let body = answer_with(id, &usage).to_string();
        let answer = (dialect(id).decode_answer)(body.as_bytes(), &quirks).unwrap();
        assert_eq!(answer.usage.as_ref().map(counts), Some(*expected), "{habit}: answer");
        let stream = stream_with(id, &usage);
        let read = streamed(id, &quirks, &stream);
        assert_eq!(read.as_ref().map(counts), Some(*expected), "{habit}: stream");
        assert_eq!(metered(id, &quirks, &stream), read, "{habit}: meter");
    }
}

fn both(stream: &[Value]) -> Option<(u64, u64)> {
    let quirks = Quirks::default();
    let read = streamed(OPENAI, &quirks, stream);
    assert_eq!(metered(OPENAI, &quirks, stream), read);
    read.map(|usage| (usage.input, usage.output))
}

#[test]
fn usage_is_found_wherever_a_host_puts_it_in_its_stream() {
    let usage = |output: u64| json!({"prompt_tokens": 7, "completion_tokens": output});
    let text = |more| chunk(json!({"content": "x"}), Value::Null, more);
    let end = |more| chunk(json!({}), json!("stop"), more);
    // Groq, of old, in its own field; a later one at the top counts.
    let groq = end(json!({"x_groq": {"id": "r", "usage": usage(3)}}));
    assert_eq!(both(&[text(json!({"x_groq": {"id": "r"}})), groq.clone()]), Some((7, 3)));
    let extra = json!({"id": "i", "choices": [], "usage": usage(4)});
    assert_eq!(both(&[text(json!({})), groq, extra]), Some((7, 4)));
    // Moonshot, in the alternative that ended.
    let mut moonshot = end(json!({}));
    moonshot["choices"][0]["usage"] = usage(5);
    assert_eq!(both(&[text(json!({})), moonshot]), Some((7, 5)));
    // Hosts that count on every chunk, and one that counts in the middle.
    let running = [text(json!({"usage": usage(1)})), text(json!({"usage": usage(2)}))];
    assert_eq!(both(&running), Some((7, 2)));
    let middle = [text(json!({"usage": usage(6)})), end(json!({"usage": null}))];
    assert_eq!(both(&middle), Some((7, 6)));
    // None at all, and ones that say nothing.
    assert_eq!(both(&[text(json!({"usage": null})), end(json!({"usage": {}}))]), None);
    assert_eq!(both(&[text(json!({"usage": []})), end(json!({"x_groq": null}))]), None);
}

#[test]
fn a_chat_client_gets_usage_if_it_asked_and_never_otherwise() {
    let stop = Stop { reason: StopReason::Stop, native: "stop".to_owned(), sequence: None };
    let answer = Answer {
        id: "i".to_owned(),
        model: "m".to_owned(),
        choices: vec![Choice {
            parts: vec![crate::samples::text("x")],
            stop: Some(stop),
            ..Choice::default()
        }],
        usage: Some(Usage { input: 3, output: 2, ..Usage::default() }),
        ..Answer::default()
    };
    let events = events_of(&answer);
    assert!(events.iter().any(|event| matches!(event, Event::Usage(_))));
    let chat = DIALECTS.iter().filter(|door| door.id == OPENAI);
    for door in chat {
        for asked in [true, false] {
            let mut writer = (door.encode_events)(asked);
            let mut out = Vec::new();
            events.iter().for_each(|event| writer.event(event, &mut out));
            writer.end(&mut out);
            let out = String::from_utf8(out).unwrap();
            let told = out.matches("\"prompt_tokens\"").count();
            assert_eq!(told, usize::from(asked), "{}: {out}", door.id);
            assert_eq!(out.contains("\"usage\""), asked, "{}: {out}", door.id);
        }
    }
}
