//! Plain calls: every dialect through the hub, and what cannot go there.

use crate::samples::recorded;
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use wire::dialect::Quirks;
use wire::error::DecodeError;
use wire::hub::Usage;
use wire::plain::{
    Ask, Found, Kind, PLAIN_DIALECTS, PlainDialect, Reply, What, find, searches, splice_model,
};

fn row(id: &str) -> &'static PlainDialect {
    find(id).unwrap()
}

fn ask(id: &str, body: &Value) -> Ask {
    (row(id).decode_ask)(body.to_string().as_bytes(), Some("m")).unwrap()
}

fn refused(id: &str, body: &Value) -> String {
    (row(id).decode_ask)(body.to_string().as_bytes(), None).unwrap_err().path
}

fn try_sent(id: &str, ask: &Ask) -> Result<(Value, String), DecodeError> {
    let encoded = (row(id).encode_ask)(ask, "up", &Quirks::default())?;
    Ok((serde_json::from_slice(&encoded.body).unwrap(), encoded.dropped.join(" ")))
}

fn sent(id: &str, ask: &Ask) -> (Value, String) {
    try_sent(id, ask).unwrap()
}

fn reply(id: &str, body: &Value) -> Reply {
    (row(id).decode_reply)(body.to_string().as_bytes(), &Quirks::default()).unwrap()
}

fn told(id: &str, reply: &Reply, ask: &Ask) -> Value {
    serde_json::from_slice(&(row(id).encode_reply)(reply, ask)).unwrap()
}

fn vectors(reply: &Reply) -> &[Vec<f32>] {
    match &reply.found {
        Found::Vectors(vectors) => vectors,
        other => panic!("{other:?}"),
    }
}

#[test]
fn texts_to_embed_are_worded_for_every_provider() {
    let ask = ask(
        "openai_embeddings",
        &json!({"model": "m", "input": ["a", "b"], "dimensions": 8, "encoding_format": "base64",
            "input_type": "query", "user": "u"}),
    );
    for (id, body, dropped) in [
        (
            "openai_embeddings",
            json!({"model": "up", "input": ["a", "b"], "dimensions": 8, "encoding_format": "base64",
                "input_type": "query", "user": "u"}),
            "",
        ),
        (
            "voyage_embeddings",
            json!({"model": "up", "input": ["a", "b"], "output_dimension": 8,
                "encoding_format": "base64", "input_type": "query"}),
            "user",
        ),
        (
            "cohere_embed",
            json!({"model": "up", "texts": ["a", "b"], "output_dimension": 8,
                "embedding_types": ["float"], "input_type": "search_query"}),
            "user",
        ),
        (
            "gemini_embed",
            json!({"requests": [
                {"model": "models/up", "content": {"parts": [{"text": "a"}]},
                    "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 8},
                {"model": "models/up", "content": {"parts": [{"text": "b"}]},
                    "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 8},
            ]}),
            "user",
        ),
    ] {
        assert_eq!(sent(id, &ask), (body, dropped.to_owned()), "{id}");
    }
}

#[test]
fn cohere_is_always_told_a_purpose() {
    let text = ask("openai_embeddings", &json!({"input": "a"}));
    assert_eq!(sent("cohere_embed", &text).0["input_type"], "search_document");
    let odd = ask("openai_embeddings", &json!({"input": "a", "input_type": "passage"}));
    let (body, dropped) = sent("cohere_embed", &odd);
    assert_eq!((&body["input_type"], dropped.as_str()), (&json!("search_document"), "input_type"));
    let picture = ask("cohere_embed", &json!({"images": ["data:image/png;base64,QUJD"]}));
    let picture = Ask { origin: "openai_embeddings", ..picture };
    assert_eq!(sent("cohere_embed", &picture).0["input_type"], "image");
}

#[test]
fn one_text_goes_to_geminis_method_for_one() {
    let one = ask("openai_embeddings", &json!({"input": "a"}));
    let list = ask("openai_embeddings", &json!({"input": ["a"]}));
    let gemini = row("gemini_embed");
    assert_eq!((gemini.path)("up", &one), "/models/up:embedContent");
    assert_eq!((gemini.path)("tuned/up", &list), "/tuned/up:batchEmbedContents");
    let content = json!({"model": "models/up", "content": {"parts": [{"text": "a"}]}});
    assert_eq!(sent("gemini_embed", &one).0, content);
    assert_eq!(sent("gemini_embed", &list).0, json!({"requests": [content]}));
}

#[test]
fn requests_survive_the_hub_in_their_own_dialect() {
    let data = "data:image/png;base64,QUJD";
    for (id, body) in [
        ("openai_embeddings", json!({"model": "up", "input": "a", "x": 1})),
        ("openai_embeddings", json!({"model": "up", "input": [1, 2, 3]})),
        ("openai_embeddings", json!({"model": "up", "input": [[1, 2], [3]]})),
        ("openai_embeddings", json!({"model": "up", "input": "a", "encoding_format": "int8"})),
        (
            "voyage_embeddings",
            json!({"model": "up", "input": ["a"], "input_type": "document", "truncation": false,
                "output_dimension": 256, "output_dtype": "int8"}),
        ),
        (
            "cohere_embed",
            json!({"model": "up", "input_type": "clustering", "texts": ["a"], "truncate": "START",
                "embedding_types": ["int8", "float"]}),
        ),
        (
            "cohere_embed",
            json!({"model": "up", "input_type": "image", "images": [data],
                "truncate": "NONE", "embedding_types": ["float"]}),
        ),
        (
            "cohere_embed",
            json!({"model": "up", "input_type": "search_document", "embedding_types": ["base64"],
                "inputs": [{"content": [{"type": "text", "text": "a"},
                    {"type": "image_url", "image_url": {"url": data}}]}]}),
        ),
        (
            "gemini_embed",
            json!({"model": "models/up", "content": {"parts": [{"text": "a"},
                {"inlineData": {"mimeType": "image/png", "data": "QUJD"}}]},
                "taskType": "CODE_RETRIEVAL_QUERY", "title": "t"}),
        ),
        (
            "gemini_embed",
            json!({"requests": [
                {"model": "models/up", "content": {"parts": [{"text": "a"}]}, "taskType": "CLUSTERING"},
                {"model": "models/up", "content": {"parts": [{"text": "b"}]}}]}),
        ),
        (
            "cohere_rerank",
            json!({"model": "up", "query": "q", "documents": ["a", {"text": "b", "x": 1}],
                "top_n": 1, "return_documents": true, "max_tokens_per_doc": 9}),
        ),
        (
            "voyage_rerank",
            json!({"model": "up", "query": "q", "documents": ["a"], "top_k": 1,
                "return_documents": false, "truncation": true}),
        ),
        ("openai_moderations", json!({"model": "up", "input": ["a", "b"]})),
        (
            "openai_moderations",
            json!({"model": "up", "input": [{"type": "text", "text": "a"},
                {"type": "image_url", "image_url": {"url": data}}]}),
        ),
    ] {
        assert_eq!(sent(id, &ask(id, &body)), (body, String::new()), "{id}");
    }
}

#[test]
fn what_a_provider_cannot_take_is_named_by_its_place() {
    let path = |id: &str, ask: &Ask| try_sent(id, ask).unwrap_err().path;
    let tokens = ask("openai_embeddings", &json!({"input": [[1], [2]]}));
    for id in ["voyage_embeddings", "cohere_embed", "gemini_embed"] {
        assert_eq!(path(id, &tokens), "input[0]", "{id}");
    }
    let mixed = json!({"inputs": [
        {"content": [{"type": "text", "text": "a"}]},
        {"content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]}]});
    let mixed = ask("cohere_embed", &mixed);
    assert_eq!(path("openai_embeddings", &mixed), "input[1]");
    assert_eq!(path("openai_moderations", &mixed), "");
    let differ = json!({"requests": [
        {"content": {"parts": [{"text": "a"}]}, "taskType": "CLUSTERING"},
        {"content": {"parts": [{"text": "b"}]}}]});
    assert_eq!(sent("voyage_embeddings", &ask("gemini_embed", &differ)).1, "requests");
}

#[test]
fn malformed_requests_are_refused_with_a_path() {
    for (id, body, path) in [
        ("openai_embeddings", json!({}), "input"),
        ("openai_embeddings", json!({"input": []}), "input"),
        ("openai_embeddings", json!({"input": 7}), "input"),
        ("openai_embeddings", json!({"input": ["a", 7]}), "input[1]"),
        ("openai_embeddings", json!({"input": [1, -7]}), "input[1]"),
        ("openai_embeddings", json!({"input": [[1, "x"]]}), "input[0][1]"),
        ("openai_embeddings", json!({"input": "a", "dimensions": "x"}), "dimensions"),
        ("openai_embeddings", json!({"model": 7, "input": "a"}), "model"),
        ("voyage_embeddings", json!({"input": "a", "truncation": 7}), "truncation"),
        ("cohere_embed", json!({"input_type": "classification"}), "texts"),
        (
            "cohere_embed",
            json!({"inputs": [{"content": [{"type": "x"}]}]}),
            "inputs[0].content[0].type",
        ),
        ("gemini_embed", json!({}), "content"),
        ("gemini_embed", json!({"content": {"parts": [{}]}}), "content.parts[0]"),
        ("gemini_embed", json!({"requests": []}), "requests"),
        ("gemini_embed", json!({"requests": [{"content": 7}]}), "requests[0].content"),
        ("cohere_rerank", json!({"documents": ["a"]}), "query"),
        ("cohere_rerank", json!({"query": "q"}), "documents"),
        ("voyage_rerank", json!({"query": "q", "documents": ["a", 7]}), "documents[1]"),
        ("openai_moderations", json!({"input": [{"type": "audio"}]}), "input[0].type"),
    ] {
        assert_eq!(refused(id, &body), path, "{id} {body}");
    }
}

#[test]
fn vectors_are_read_from_every_provider_and_written_for_every_client() {
    let one = ask("openai_embeddings", &json!({"input": "a"}));
    let packed = ask("openai_embeddings", &json!({"input": "a", "encoding_format": "base64"}));
    for (id, body, tokens) in [
        (
            "openai_embeddings",
            json!({"object": "list", "data": [{"index": 0, "embedding": [0.5, -2.0]}], "model": "e",
                "usage": {"prompt_tokens": 3, "total_tokens": 3}}),
            Some(3),
        ),
        (
            "voyage_embeddings",
            json!({"data": [{"index": 0, "embedding": "AAAAPwAAAMA="}], "model": "e",
                "usage": {"total_tokens": 4}}),
            Some(4),
        ),
        (
            "cohere_embed",
            json!({"id": "i", "embeddings": {"float": [[0.5, -2.0]]},
                "meta": {"billed_units": {"input_tokens": 5, "image_tokens": 1}}}),
            Some(6),
        ),
        ("cohere_embed", json!({"embeddings": [[0.5, -2]]}), None),
        ("gemini_embed", json!({"embedding": {"values": [0.5, -2.0]}}), None),
        (
            "gemini_embed",
            json!({"embeddings": [{"values": [0.5, -2.0]}], "usageMetadata": {"promptTokenCount": 7}}),
            Some(7),
        ),
    ] {
        let reply = reply(id, &body);
        assert_eq!(vectors(&reply), [[0.5, -2.0]], "{id}");
        assert_eq!(reply.usage.map(|usage| usage.input), tokens, "{id}");
        assert_eq!((row(id).usage)(body.to_string().as_bytes(), &Quirks::default()), reply.usage);
        assert_eq!(
            told("openai_embeddings", &reply, &one)["data"],
            json!([{"object": "embedding", "index": 0, "embedding": [0.5, -2.0]}])
        );
        let told = told("openai_embeddings", &reply, &packed);
        assert_eq!(told["data"][0]["embedding"], "AAAAPwAAAMA=");
        assert_eq!(told["usage"]["prompt_tokens"], tokens.unwrap_or(0));
    }
}

#[test]
fn gemini_clients_get_one_vector_or_a_list_as_they_asked() {
    let found = reply("openai_embeddings", &json!({"data": [{"embedding": [1.5]}]}));
    let one = ask("gemini_embed", &json!({"content": {"parts": [{"text": "a"}]}}));
    assert_eq!(told("gemini_embed", &found, &one), json!({"embedding": {"values": [1.5]}}));
    let many = json!({"requests": [{"content": {"parts": [{"text": "a"}]}}]});
    let many = ask("gemini_embed", &many);
    assert_eq!(told("gemini_embed", &found, &many), json!({"embeddings": [{"values": [1.5]}]}));
}

#[test]
fn vectors_are_put_in_the_order_of_their_numbers() {
    let body =
        json!({"data": [{"index": 1, "embedding": [1.0]}, {"index": 0, "embedding": [0.0]}]});
    assert_eq!(vectors(&reply("openai_embeddings", &body)), [[0.0], [1.0]]);
}

#[test]
fn malformed_vectors_are_located() {
    let path = |body: Value| {
        let body = body.to_string();
        let read = (row("openai_embeddings").decode_reply)(body.as_bytes(), &Quirks::default());
        read.unwrap_err().path
    };
    let good = json!({"embedding": [1.0]});
    assert_eq!(path(json!({"data": [good, {"embedding": "!"}]})), "data[1]");
    assert_eq!(path(json!({"data": [good, {"embedding": "AAA="}]})), "data[1]");
    // A float that is no number.
    assert_eq!(path(json!({"data": [{"embedding": "AADAfw=="}]})), "data[0]");
    assert_eq!(path(json!({"data": [{"embedding": [1e300]}]})), "data[0]");
    assert_eq!(path(json!({"error": {}})), "");
}

#[test]
fn documents_are_ranked_across_providers_and_put_back_where_they_were_asked_for() {
    let body = json!({"query": "q", "documents": ["a", {"text": "b", "x": 1}], "top_n": 1,
        "return_documents": true});
    let asked = ask("cohere_rerank", &body);
    let (body, dropped) = sent("voyage_rerank", &asked);
    assert_eq!(body, json!({"model": "up", "query": "q", "documents": ["a", "b"], "top_k": 1}));
    assert_eq!(dropped, "");
    let found = reply(
        "voyage_rerank",
        &json!({"object": "list", "data": [{"index": 1, "relevance_score": 0.75}], "model": "r",
            "usage": {"total_tokens": 26}}),
    );
    let told = told("cohere_rerank", &found, &asked);
    let document = json!({"text": "b", "x": 1});
    let result = json!({"index": 1, "relevance_score": 0.75, "document": document});
    assert_eq!(told["results"], json!([result]));
    assert_eq!(told["meta"]["billed_units"], json!({"input_tokens": 26}));
}

#[test]
fn cohere_bills_searches() {
    let body = json!({"id": "i", "results": [{"index": 0, "relevance_score": 1.0}],
        "meta": {"billed_units": {"search_units": 2}}});
    let found = reply("cohere_rerank", &body);
    assert_eq!((found.searches, found.usage), (Some(2), None));
    assert_eq!(searches(body.to_string().as_bytes()), Some(2));
    let asked = ask("voyage_rerank", &json!({"query": "q", "documents": ["a"]}));
    assert_eq!(
        told("voyage_rerank", &found, &asked)["data"],
        json!([{"index": 0, "relevance_score": 1.0}])
    );
}

#[test]
fn verdicts_without_a_flag_get_one() {
    let body = json!({"id": "i", "model": "m", "results": [
        {"categories": {"sexual": false, "pii": true}, "category_scores": {"pii": 0.9}},
        {"categories": {"pii": false}}, {"flagged": true, "categories": {}}]});
    let found = reply("openai_moderations", &body);
    let told =
        told("openai_moderations", &found, &ask("openai_moderations", &json!({"input": "a"})));
    let flags: Vec<_> = told["results"].as_array().unwrap().iter().map(|r| &r["flagged"]).collect();
    assert_eq!(flags, [true, false, true]);
    assert_eq!(told["results"][0]["category_scores"]["pii"], 0.9);
}

#[test]
fn the_model_is_named_anew_wherever_a_dialect_names_it() {
    let spliced = |id: &str, body: &'static str| {
        let row = row(id);
        let body = Bytes::from_static(body.as_bytes());
        let peek = (row.peek)(&body).unwrap();
        String::from_utf8(splice_model(row, &body, &peek, "up").concat()).unwrap()
    };
    assert_eq!(
        spliced("openai_embeddings", r#"{ "model": "m", "input":"a" }"#),
        r#"{ "model": "up", "input":"a" }"#
    );
    assert_eq!(spliced("openai_moderations", r#"{"input":"a"}"#), r#"{"model":"up","input":"a"}"#);
    assert_eq!(
        spliced("gemini_embed", r#"{"requests":[{"model":"models/m","x":{"model":1}},{},7]}"#),
        r#"{"requests":[{"model":"models/up","x":{"model":1}},{},7]}"#
    );
    assert_eq!(spliced("gemini_embed", r#"{"content":{}}"#), r#"{"content":{}}"#);
}

#[test]
fn errors_are_worded_for_every_client() {
    let problem = wire::error::Problem {
        status: 429,
        kind: "rate_limit_error",
        code: "rate_limited",
        message: "Slow down.",
        param: None,
        request_id: Some("r"),
    };
    for row in PLAIN_DIALECTS {
        let body = (row.encode_error)(&problem);
        let back = (row.decode_error)(429, &body);
        assert_eq!((back.status, back.message.as_str()), (Some(429), "Slow down."), "{}", row.id);
    }
}

#[test]
fn recorded_answers_are_read() {
    for (_, body) in recorded("voyage") {
        let body: Value = serde_json::from_str(&body).unwrap();
        let found = reply("voyage_embeddings", &body);
        assert_eq!(vectors(&found).len(), 2);
        assert_eq!(found.usage, Some(Usage { input: 12, ..Usage::default() }));
    }
    for (name, body) in recorded("togetherai") {
        if name.contains("rerank") {
            let body: Value = serde_json::from_str(&body).unwrap();
            let found = reply("cohere_rerank", &body);
            let Found::Ranks(ranks) = &found.found else { panic!("{found:?}") };
            assert_eq!((ranks[0].index, ranks[1].index, ranks[1].document.as_ref()), (0, 5, None));
            assert_eq!(found.usage.map(|usage| usage.input), Some(2966));
        }
    }
}

fn floats() -> impl Strategy<Value = Vec<f32>> {
    let finite = any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |n| n.is_finite());
    proptest::collection::vec(finite, 0..40)
}

/// What the dialects of a kind read in requests and answers, and much else.
fn soup() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        Just(json!("text")),
        Just(json!("AAAAPw==")),
        Just(json!([0.5, 1])),
        Just(json!([[1, 2], [3]])),
        any::<i64>().prop_map(Value::from),
    ];
    let keys = prop::sample::select(vec![
        "input",
        "model",
        "texts",
        "images",
        "inputs",
        "content",
        "parts",
        "text",
        "requests",
        "query",
        "documents",
        "type",
        "image_url",
        "url",
        "data",
        "embedding",
        "embeddings",
        "float",
        "values",
        "results",
        "index",
        "relevance_score",
        "usage",
        "meta",
        "billed_units",
        "usageMetadata",
        "total_tokens",
        "embedding_types",
        "encoding_format",
        "truncate",
    ]);
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(keys.clone(), inner, 0..7)
                .prop_map(|map| map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        ]
    })
}

fn all_answer(bytes: &[u8]) {
    for row in PLAIN_DIALECTS {
        let peeked = (row.peek)(bytes);
        if let (Ok(peek), body) = (peeked, Bytes::copy_from_slice(bytes)) {
            let out = splice_model(row, &body, &peek, "up").concat();
            assert!((row.peek)(&out).is_ok());
        }
        if let Ok(ask) = (row.decode_ask)(bytes, None) {
            for other in PLAIN_DIALECTS.iter().filter(|other| other.kind == row.kind) {
                let _ = (other.path)("m", &ask);
                let _ = (other.encode_ask)(&ask, "m", &Quirks::default());
            }
            // What was read can be sent on in its own dialect, and is read as the same again.
            let again = (row.encode_ask)(&ask, &ask.model, &Quirks::default()).unwrap();
            let again = (row.decode_ask)(&again.body, Some(&ask.model)).unwrap();
            assert_eq!(again.what, ask.what, "{}", row.id);
        }
        let _ = (row.decode_reply)(bytes, &Quirks::default());
        let _ = (row.usage)(bytes, &Quirks::default());
        let _ = (row.decode_error)(500, bytes);
        let _ = searches(bytes);
    }
}

proptest! {
    #[test]
    fn vectors_cross_base64_and_numbers_bit_for_bit(all in proptest::collection::vec(floats(), 1..4)) {
        let inputs: Vec<&str> = all.iter().map(|_| "a").collect();
        let mut found = Reply {
            id: None,
            model: "m".to_owned(),
            found: Found::Vectors(all.clone()),
            usage: None,
            searches: None,
        };
        for row in PLAIN_DIALECTS.iter().filter(|row| row.kind == Kind::Embed) {
            for format in ["base64", "float"] {
                let mut asked = ask("openai_embeddings", &json!({"input": inputs}));
                if let What::Embed(embed) = &mut asked.what {
                    embed.base64 = format == "base64";
                }
                let body = (row.encode_reply)(&found, &asked);
                found = (row.decode_reply)(&body, &Quirks::default()).unwrap();
                let bits = |all: &[Vec<f32>]| -> Vec<Vec<u32>> {
                    all.iter().map(|one| one.iter().map(|n| n.to_bits()).collect()).collect()
                };
                prop_assert_eq!(bits(vectors(&found)), bits(&all), "{} {}", row.id, format);
            }
        }
    }

    #[test]
    fn any_json_gives_an_answer(value in soup()) {
        all_answer(value.to_string().as_bytes());
    }

    #[test]
    fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        all_answer(&bytes);
    }
}
