//! Calls that are answered whole: vectors, ranks, moderation, at every kind of upstream.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sim::Rule;

use super::tongue::{TONGUES, Wish};
use crate::harness::{Ask, Reply, Setup, Stage, ask, post};

const EMBEDDERS: &[&str] =
    &["openai_embeddings", "voyage_embeddings", "cohere_embed", "gemini_embed"];

fn embed(input: Value) -> Ask {
    post("/v1/embeddings", json!({ "model": "solo", "input": input, "dimensions": 8 }))
}

fn vectors(reply: &Reply) -> Vec<Vec<f32>> {
    assert_eq!(reply.status, 200, "{}", reply.raw());
    let rows = reply.json()["data"].as_array().cloned().unwrap();
    let places: Vec<u64> = rows.iter().map(|row| row["index"].as_u64().unwrap()).collect();
    assert_eq!(places, (0..rows.len() as u64).collect::<Vec<_>>());
    rows.iter().map(|row| numbers(&row["embedding"])).collect()
}

fn numbers(vector: &Value) -> Vec<f32> {
    if let Some(text) = vector.as_str() {
        let bytes = STANDARD.decode(text).unwrap();
        return bytes.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    }
    vector.as_array().unwrap().iter().map(|n| n.as_f64().unwrap() as f32).collect()
}

/// The books, the bill and what the client was told agree.
async fn billed(stage: &Stage, told: u64) {
    stage.quiet().await;
    let row = stage.sim.bill().rows.back().cloned().unwrap();
    assert_eq!(told, u64::from(row.input_tokens));
    let booked = stage.books.entries().last().unwrap().cost.as_nanousd();
    assert_eq!(booked, row.cost_nanousd);
    assert!(booked > 0);
}

#[tokio::test(start_paused = true)]
async fn a_text_has_the_same_vector_at_every_upstream_in_either_form() {
    let texts = json!(["a heavy truck", "a light cart", "a pond"]);
    let mut known: Option<Vec<Vec<f32>>> = None;
    for dialect in EMBEDDERS {
        println!("{dialect}");
        let stage = Setup::dialect(dialect).start().await;
        let floats = stage.ask(&embed(texts.clone())).await;
        let several = vectors(&floats);
        assert!(several.len() == 3 && several.iter().all(|vector| vector.len() == 8));
        billed(&stage, floats.json()["usage"]["prompt_tokens"].as_u64().unwrap()).await;
        let packed = embed(texts.clone()).with("encoding_format", "base64".into());
        let reply = stage.ask(&packed).await;
        assert!(reply.json()["data"][0]["embedding"].is_string(), "{}", reply.raw());
        assert_eq!(vectors(&reply), several);
        let one = vectors(&stage.ask(&embed(json!("a light cart"))).await);
        assert_eq!(one, several[1..2]);
        assert_eq!(known.get_or_insert(several.clone()), &several);
        stage.quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn geminis_door_for_vectors_gets_its_own_shape_from_every_upstream() {
    let body = json!({ "content": { "parts": [{ "text": "a pond" }] }, "outputDimensionality": 8 });
    let asked = post("/v1beta/models/solo:embedContent", body.clone());
    let request =
        json!({ "model": "models/solo", "content": body["content"], "outputDimensionality": 8 });
    let batch = json!({ "requests": [request, request] });
    let batch = post("/v1beta/models/solo:batchEmbedContents", batch);
    for dialect in EMBEDDERS {
        println!("{dialect}");
        let stage = Setup::dialect(dialect).start().await;
        let one = stage.ask(&asked).await;
        assert_eq!(one.status, 200, "{}", one.raw());
        let vector = numbers(&one.json()["embedding"]["values"]);
        assert_eq!(vector.len(), 8);
        let two = stage.ask(&batch).await.json();
        let both: Vec<Vec<f32>> = two["embeddings"]
            .as_array()
            .unwrap_or_else(|| panic!("{two}"))
            .iter()
            .map(|each| numbers(&each["values"]))
            .collect();
        assert_eq!(both, [vector.clone(), vector]);
        stage.quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn documents_are_ranked_by_cohere_and_by_voyage() {
    let body = json!({ "model": "solo", "query": "heavy trucks", "top_n": 2,
        "documents": ["a pond", "weighing heavy trucks", "trucks"] });
    for dialect in ["cohere_rerank", "voyage_rerank"] {
        for path in ["/v1/rerank", "/v2/rerank"] {
            let stage = Setup::dialect(dialect).start().await;
            let reply = stage.ask(&post(path, body.clone())).await;
            assert_eq!(reply.status, 200, "{dialect}: {}", reply.raw());
            let results = reply.json()["results"].as_array().cloned().unwrap();
            let order: Vec<u64> = results.iter().filter_map(|row| row["index"].as_u64()).collect();
            assert_eq!(order, [1, 2], "{dialect}");
            assert!(results.iter().all(|row| row["relevance_score"].is_f64()));
            stage.quiet().await;
            let charged = stage.books.entries()[0].cost.as_nanousd();
            if dialect == "voyage_rerank" {
                assert_eq!(charged, stage.sim.bill().total_nanousd);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_moderation_says_what_is_harmful_and_costs_nothing() {
    let models = "free: { input: $0, output: $0, context: 1000, max_output: 10 }".to_owned();
    let stage = Setup { models, ..Setup::dialect("openai_moderations") }.start().await;
    let body = json!({ "model": "a/free", "input": ["They kill time.", "A pond."] });
    let reply = stage.ask(&post("/v1/moderations", body)).await;
    assert_eq!(reply.status, 200, "{}", reply.raw());
    let flags = [0, 1].map(|at| reply.json()["results"][at]["flagged"].as_bool());
    assert_eq!(flags, [Some(true), Some(false)]);
    stage.quiet().await;
    assert_eq!(stage.books.entries()[0].cost.as_nanousd(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_model_is_not_asked_for_what_it_does_not_serve() {
    let talker = Setup::dialect("anthropic_messages").start().await;
    let reply = talker.ask(&embed(json!("a pond"))).await;
    assert_eq!(reply.status, 400, "{}", reply.raw());
    assert!(reply.error_message().contains("embeddings"), "{}", reply.raw());
    assert_eq!(talker.counts(), (0, 0));
    let embedder = Setup::dialect("voyage_embeddings").start().await;
    for tongue in TONGUES {
        let reply = embedder.ask(&tongue.ask("solo", Wish::Whole)).await;
        assert_eq!(reply.status, 400, "{}", reply.raw());
        let said = tongue.complaint(&reply);
        assert!(said.contains("conversations"), "{}: {}", tongue.id, reply.raw());
    }
    assert_eq!(embedder.counts(), (0, 0));
    talker.quiet().await;
    embedder.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn vectors_fall_back_to_another_provider_that_makes_some() {
    let dialect_b = "cohere_embed";
    let stage = Setup { dialect_b, ..Setup::dialect("gemini_embed") }.start().await;
    stage.script(vec![Rule::always("f19").at("a")]);
    let mut asked = embed(json!("a pond"));
    asked.body["model"] = "pair".into();
    let reply = stage.ask(&asked).await;
    assert_eq!(vectors(&reply)[0].len(), 8);
    assert_eq!(reply.header("x-weighbridge-model"), "b/m");
    assert_eq!(reply.header("x-weighbridge-fallback-reason"), "overloaded");
    stage.quiet().await;
    let kinds: Vec<_> = stage.books.entries().iter().map(|entry| entry.kind.name()).collect();
    assert_eq!(kinds.last(), Some(&"final"), "{kinds:?}");
    assert_eq!(stage.ask(&ask("pair")).await.status, 400, "neither converses");
}
