//! Refusals in each vendor's own words: F13 to F19, F48 to F50.
//!
//! The bodies follow what the vendors publish and what their clients parse; the texts are short on
//! purpose.

use std::time::Duration;

use serde_json::{Value, json};

use super::{FaultCall, Scene};
use crate::answer::{Finish, Manner};
use crate::ask::Complaint;
use crate::dialect::{EVENT_STREAM, Vendor};
use crate::reply::{After, Billing, Reply};

/// The seconds F13 and F14 ask to wait.
const RETRY_SECONDS: u32 = 7;

fn refuse(scene: &Scene<'_>, complaint: &Complaint) -> Reply {
    scene.ask.vendor.refusal(complaint, scene.id)
}

fn limit(scene: &Scene<'_>) -> Complaint {
    let say = |message| Complaint::new(429, message);
    match scene.ask.vendor {
        Vendor::OpenAi | Vendor::Azure => {
            say("Rate limit reached for requests.").kind("requests").code("rate_limit_exceeded")
        }
        Vendor::Anthropic => say("This request would exceed your account's rate limit."),
        Vendor::Aws => say("Too many requests, please wait before trying again."),
        Vendor::Cohere => say("You are past the per minute request limit, please wait."),
        Vendor::Voyage => say("You have exceeded your requests per minute."),
        Vendor::Google => Complaint::new(429, "Resource has been exhausted (e.g. check quota).")
            .details(json!([quota_failure("GenerateRequestsPerMinutePerProjectPerModel")])),
    }
}

fn quota_failure(quota: &str) -> Value {
    let metric = "generativelanguage.googleapis.com/generate_content_requests";
    json!({ "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{ "quotaMetric": metric, "quotaId": quota }] })
}

pub(super) fn rate_limited(scene: &Scene<'_>) -> Reply {
    let seconds = scene.call.count(RETRY_SECONDS);
    let mut complaint = limit(scene);
    if let Some(details) = complaint.details.as_array_mut() {
        details.push(json!({ "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": format!("{seconds}s") }));
    }
    refuse(scene, &complaint).header("retry-after", seconds.to_string())
}

pub(super) fn rate_limited_until(scene: &Scene<'_>) -> Reply {
    let seconds = u64::from(scene.call.count(RETRY_SECONDS));
    let until = scene.wall.checked_add(Duration::from_secs(seconds)).unwrap_or(scene.wall);
    refuse(scene, &limit(scene)).header("retry-after", httpdate::fmt_http_date(until))
}

pub(super) fn rate_limited_bare(scene: &Scene<'_>) -> Reply {
    refuse(scene, &limit(scene))
}

pub(super) fn quota(scene: &Scene<'_>) -> Reply {
    if scene.call.variant == "payment" {
        return refuse(
            scene,
            &Complaint::new(402, "Insufficient Balance").code("insufficient_balance"),
        );
    }
    let complaint = match scene.ask.vendor {
        Vendor::OpenAi | Vendor::Azure => openai_quota(scene.call.variant),
        Vendor::Aws => {
            Complaint::new(400, "Your request exceeds the service quota of your account.")
                .kind("ServiceQuotaExceededException")
        }
        Vendor::Cohere => {
            Complaint::new(402, "Please add or update your payment method to continue.")
        }
        Vendor::Voyage => Complaint::new(402, "You have used all of your prepaid balance."),
        Vendor::Anthropic => {
            let code = if scene.call.variant == "credit" {
                "contract_spend_limit_reached"
            } else {
                "enforced_spend_limit_reached"
            };
            Complaint::new(429, "You have reached your specified API usage limits.")
                .details(json!({ "error_code": code }))
        }
        Vendor::Google => {
            Complaint::new(429, "You exceeded your current quota, please check your plan.")
                .details(json!([quota_failure("GenerateRequestsPerDayPerProjectPerModel")]))
        }
    };
    refuse(scene, &complaint)
}

fn openai_quota(variant: &str) -> Complaint {
    let code = if variant == "credit" { "credit_balance_exhausted" } else { "insufficient_quota" };
    Complaint::new(
        429,
        "You exceeded your current quota, please check your plan and billing details.",
    )
    .kind("insufficient_quota")
    .code(code)
}

pub(super) fn credential(scene: &Scene<'_>) -> Reply {
    let complaint = match (scene.call.variant, scene.ask.vendor) {
        ("403", Vendor::OpenAi) => {
            Complaint::new(403, "Country, region, or territory not supported")
                .kind("request_forbidden")
                .code("unsupported_country_region_territory")
        }
        ("403", Vendor::Aws) => {
            Complaint::new(403, "You don't have access to the model with the specified model ID.")
        }
        ("403", _) => {
            Complaint::new(403, "Your key does not have permission to use this resource.")
        }
        (_, Vendor::Google) => {
            Complaint::new(401, "Request had invalid authentication credentials.")
        }
        (_, vendor) => vendor.bad_key(),
    };
    refuse(scene, &complaint)
}

/// A 502 comes from the proxy before the vendor, which speaks HTML.
pub(super) fn server_error(scene: &Scene<'_>) -> Reply {
    match scene.call.variant {
        "502" => {
            let page = "<html><head><title>502 Bad Gateway</title></head></html>";
            Reply::whole(502, "text/html", page, 0)
        }
        "504" => refuse(scene, &Complaint::new(504, "The request timed out.")),
        _ => refuse(scene, &Complaint::new(500, "Internal server error")),
    }
}

pub(super) fn overloaded(scene: &Scene<'_>) -> Reply {
    let usual = if scene.ask.vendor == Vendor::Anthropic { 529 } else { 503 };
    let status = scene.call.variant.parse().unwrap_or(usual);
    let complaint = match scene.ask.vendor {
        Vendor::OpenAi | Vendor::Azure => {
            Complaint::new(status, "The server is overloaded.").code("server_is_overloaded")
        }
        Vendor::Anthropic => Complaint::new(status, "Overloaded"),
        Vendor::Google => {
            Complaint::new(status, "The model is overloaded. Please try again later.")
        }
        _ => Complaint::new(status, "The service is temporarily unavailable, please try again."),
    };
    refuse(scene, &complaint)
}

pub(super) fn too_large(scene: &Scene<'_>) -> Reply {
    let complaint =
        Complaint::new(413, "Request exceeds the maximum size").code("request_too_large");
    Reply { after: After::Close, ..refuse(scene, &complaint) }
}

pub(super) fn context_length(scene: &Scene<'_>) -> Reply {
    let say = |message| Complaint::new(400, message);
    let complaint = match scene.ask.vendor {
        Vendor::OpenAi | Vendor::Azure => {
            say("This model's maximum context length is 8192 tokens. \
             However, your messages resulted in 9001 tokens.")
            .param("messages")
            .code("context_length_exceeded")
        }
        Vendor::Anthropic => say("prompt is too long: 209001 tokens > 200000 maximum"),
        Vendor::Google => say("The input token count (1200001) exceeds \
             the maximum number of tokens allowed (1048576)."),
        Vendor::Aws => say("Input is too long for requested model."),
        Vendor::Cohere => say("too many tokens: total number of tokens in the prompt \
             cannot exceed 128000 - received 128101. Try using a shorter prompt, \
             or enable prompt truncating."),
        Vendor::Voyage => say("The example at index 0 in your batch has too many tokens \
             and does not fit into the model's context window of 32000 tokens."),
    };
    refuse(scene, &complaint)
}

/// Only `f50-finish` says something, and ends for the filter.
pub(super) fn filtered(call: &FaultCall, manner: &mut Manner) {
    if call.variant == "finish" {
        manner.finish = Some(Finish::Filtered);
    }
}

/// `f50-finish` is the healthy shape with the filter's finish reason, so it is left alone here.
pub(super) fn content_filter(scene: &Scene<'_>, reply: &mut Reply) {
    if scene.call.variant == "finish" {
        reply.billing = Billing::Usage;
        return;
    }
    *reply = match (scene.call.variant, scene.ask.vendor) {
        ("azure", _) | (_, Vendor::Azure) => refuse(scene, &azure_filter()),
        (_, Vendor::OpenAi) => refuse(
            scene,
            &Complaint::new(400, "Your request was rejected as a result of our safety system.")
                .kind("invalid_request_error")
                .code("content_policy_violation"),
        ),
        (_, Vendor::Google) => prompt_blocked(scene, reply.is_stream()),
        _ => refuse(scene, &Complaint::new(400, "Output blocked by content filtering policy")),
    };
}

fn azure_filter() -> Complaint {
    let result = json!({
        "hate": { "filtered": false, "severity": "safe" },
        "violence": { "filtered": true, "severity": "medium" },
        "jailbreak": { "filtered": false, "detected": false },
    });
    Complaint::new(
        400,
        "The response was filtered due to the prompt triggering the content policy.",
    )
    .param("prompt")
    .code("content_filter")
    .details(json!({ "code": "ResponsibleAIPolicyViolation", "content_filter_result": result }))
}

/// Gemini answers 200 with a reason and no candidate, and counts the prompt.
fn prompt_blocked(scene: &Scene<'_>, stream: bool) -> Reply {
    let input = scene.ask.input_tokens;
    let body = json!({
        "promptFeedback": { "blockReason": "SAFETY", "safetyRatings":
            [{ "category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH" }] },
        "usageMetadata": { "promptTokenCount": input, "totalTokenCount": input },
        "modelVersion": scene.ask.model, "responseId": scene.id,
    })
    .to_string();
    let reply = if stream {
        let event = scene.ask.dialect.event("", &body);
        Reply::stream(EVENT_STREAM, vec![crate::reply::Step::noise(event)])
    } else {
        Reply::json(200, body)
    };
    Reply { billing: Billing::Input, ..reply }
}
