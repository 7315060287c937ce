//! One failure of the field per line, and what it must mean. Every rule of the table is used.

use std::collections::HashSet;

use proptest::prelude::*;
use wire::classify::{Sighting, Verdict, classify, classify_reported, rule_ids};
use wire::error::{Class, Reported};

/// 2026-01-01T00:00:00Z.
const NOW: i64 = 1_767_225_600_000;

type Headers = [(&'static str, &'static str)];

fn judge(provider: &str, dialect: &str, status: u16, headers: &Headers, body: &[u8]) -> Verdict {
    let header = |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    classify(&Sighting { provider, dialect, status, header: &header, body, now_unix_ms: NOW })
}

fn openai(status: u16, body: &str) -> Verdict {
    judge("openai", "openai_chat", status, &[], body.as_bytes())
}

/// Provider, dialect, status, body, the rule that must decide, and the class it must give.
type Fixture = (&'static str, &'static str, u16, &'static str, &'static str, Class);

#[rustfmt::skip]
const FIXTURES: &[Fixture] = &[
    // Money and long quotas.
    ("openai", "openai_chat", 429, r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#, "quota_word", Class::Quota),
    ("openai", "openai_chat", 429, r#"{"error":{"message":"No credit left","type":"x","code":"credit_balance_exhausted"}}"#, "quota_word", Class::Quota),
    ("anthropic", "anthropic_messages", 402, r#"{"type":"error","error":{"type":"billing_error","message":"Pay"}}"#, "quota_word", Class::Quota),
    ("anthropic", "anthropic_messages", 429, r#"{"type":"error","error":{"type":"rate_limit_error","message":"Limit","details":{"error_code":"enforced_spend_limit_reached"}}}"#, "quota_word", Class::Quota),
    ("anthropic", "anthropic_messages", 400, r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the API."}}"#, "quota_text", Class::Quota),
    ("deepseek", "openai_chat", 402, r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","code":"invalid_request_error"}}"#, "quota_text", Class::Quota),
    ("gemini", "gemini", 429, r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}]}}"#, "quota_per_day", Class::Quota),
    ("groq", "openai_chat", 429, r#"{"error":{"message":"Rate limit reached for model `m` on requests per day (RPD): Limit 1000","type":"requests","code":"rate_limit_exceeded"}}"#, "quota_per_day", Class::Quota),
    ("gemini", "gemini", 402, "", "quota_status", Class::Quota),
    ("openrouter", "openai_chat", 402, r#"{"error":{"code":402,"message":"More needed"}}"#, "quota_status", Class::Quota),
    // Refused content.
    ("azure", "openai_chat", 400, r#"{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#, "content_word", Class::ContentPolicy),
    ("azure", "openai_chat", 400, r#"{"error":{"message":"Filtered","code":null,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#, "content_word", Class::ContentPolicy),
    ("openai", "openai_chat", 400, r#"{"error":{"message":"Your request was rejected as a result of our safety system.","type":"invalid_request_error","code":null}}"#, "content_text", Class::ContentPolicy),
    ("anthropic", "anthropic_messages", 400, r#"{"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}}"#, "content_text", Class::ContentPolicy),
    ("deepseek", "openai_chat", 400, r#"{"error":{"message":"Content Exists Risk","type":"invalid_request_error"}}"#, "content_text", Class::ContentPolicy),
    ("qwen", "openai_chat", 400, r#"{"error":{"code":"data_inspection_failed","message":"Input data may contain inappropriate content."}}"#, "content_word", Class::ContentPolicy),
    ("xai", "openai_chat", 403, r#"{"code":"forbidden","error":"Content violates usage guidelines."}"#, "content_text", Class::ContentPolicy),
    ("openrouter", "openai_chat", 403, r#"{"error":{"code":403,"message":"Refused","metadata":{"error_type":"content_policy_violation"}}}"#, "content_word", Class::ContentPolicy),
    // Prompts that do not fit, in every wording.
    ("openai", "openai_chat", 400, r#"{"error":{"message":"This model's maximum context length is 8192 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#, "context_word", Class::ContextLength),
    ("vllm", "openai_chat", 400, r#"{"object":"error","message":"This model's maximum context length is 4096 tokens.","type":"BadRequestError","param":null,"code":400}"#, "context_text", Class::ContextLength),
    ("anthropic", "anthropic_messages", 400, r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#, "context_text", Class::ContextLength),
    ("gemini", "gemini", 400, r#"{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#, "context_text", Class::ContextLength),
    ("openrouter", "openai_chat", 400, r#"{"error":{"code":400,"message":"x","metadata":{"error_type":"context_length_exceeded"}}}"#, "context_word", Class::ContextLength),
    ("cerebras", "openai_chat", 400, r#"{"message":"Please reduce it. Current length is 9000 while limit is 8192","type":"x"}"#, "context_text", Class::ContextLength),
    ("together", "openai_chat", 422, r#"{"error":{"message":"`inputs` tokens + `max_new_tokens` must be <= 8193","type":"invalid_request_error"}}"#, "context_text", Class::ContextLength),
    ("llamacpp", "openai_chat", 400, r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"x"}}"#, "context_text", Class::ContextLength),
    ("bedrock", "openai_chat", 400, r#"{"message":"Input is too long for requested model."}"#, "context_text", Class::ContextLength),
    ("openai", "openai_chat", 400, r#"{"error":{"message":"Input tokens exceed the configured limit of 272000 tokens.","type":"invalid_request_error"}}"#, "context_text", Class::ContextLength),
    ("anthropic", "anthropic_messages", 400, r#"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"}}"#, "context_text", Class::ContextLength),
    // One long field is no long prompt.
    ("openai", "openai_chat", 400, r#"{"error":{"message":"Invalid 'user': string too long. Expected a string with maximum length 64, context window unaffected.","type":"invalid_request_error","param":"user","code":"string_above_max_length"}}"#, "invalid_word", Class::InvalidRequest),
    ("openai", "openai_chat", 429, r#"{"error":{"message":"Request too large for gpt-4o on tokens per min (TPM): Limit 10000, Requested 15000.","type":"tokens","code":"rate_limit_exceeded"}}"#, "rate_word", Class::RateLimited),
    // Unknown models.
    ("openai", "openai_chat", 404, r#"{"error":{"message":"The model `x` does not exist","type":"invalid_request_error","code":"model_not_found"}}"#, "model_word", Class::ModelNotFound),
    ("anthropic", "anthropic_messages", 404, r#"{"type":"error","error":{"type":"not_found_error","message":"model: x"}}"#, "model_word", Class::ModelNotFound),
    ("gemini", "gemini", 404, r#"{"error":{"code":404,"message":"models/x is not found for API version v1beta","status":"NOT_FOUND"}}"#, "model_word", Class::ModelNotFound),
    ("azure", "openai_chat", 404, r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#, "model_word", Class::ModelNotFound),
    ("deepseek", "openai_chat", 400, r#"{"error":{"message":"Model Not Exist","type":"invalid_request_error"}}"#, "model_text", Class::ModelNotFound),
    ("ollama", "openai_chat", 404, r#"{"error":{"message":"model \"x\" not found, try pulling it first","type":"api_error"}}"#, "model_text", Class::ModelNotFound),
    ("mistral", "openai_chat", 400, r#"{"object":"error","message":"Invalid model: x","type":"invalid_model","code":"1500"}"#, "model_word", Class::ModelNotFound),
    ("openai", "openai_chat", 404, r#"{"error":{"message":"No such file","type":"not_found"}}"#, "invalid_status", Class::InvalidRequest),
    // Refused credentials.
    ("openai", "openai_chat", 401, r#"{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}"#, "auth_word", Class::Auth),
    ("anthropic", "anthropic_messages", 403, r#"{"type":"error","error":{"type":"permission_error","message":"No"}}"#, "auth_word", Class::Auth),
    ("gemini", "gemini", 400, r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}"#, "auth_text", Class::Auth),
    ("xai", "openai_chat", 400, r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided"}"#, "auth_text", Class::Auth),
    ("cohere", "openai_chat", 498, r#"{"message":"invalid token","id":"1"}"#, "auth_cohere_498", Class::Auth),
    ("mistral", "openai_chat", 401, r#"{"detail":"Unauthorized"}"#, "auth_status", Class::Auth),
    ("any", "openai_chat", 403, "<html>Forbidden</html>", "auth_status", Class::Auth),
    // Too many, too busy.
    ("openai", "openai_chat", 503, r#"{"error":{"message":"x","type":"service_unavailable_error","code":"server_is_overloaded"}}"#, "overloaded_word", Class::Overloaded),
    ("anthropic", "anthropic_messages", 529, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, "overloaded_word", Class::Overloaded),
    ("gemini", "gemini", 503, r#"{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#, "overloaded_word", Class::Overloaded),
    ("moonshot", "openai_chat", 429, r#"{"error":{"message":"The engine is currently overloaded, please try again later","type":"engine_overloaded_error"}}"#, "overloaded_word", Class::Overloaded),
    ("ollama", "openai_chat", 503, r#"{"error":"server busy, please try again. maximum pending requests exceeded"}"#, "overloaded_text", Class::Overloaded),
    ("openai", "openai_chat", 429, r#"{"error":{"message":"Rate limit reached","type":"tokens","code":"rate_limit_exceeded"}}"#, "rate_word", Class::RateLimited),
    ("openai", "openai_chat", 429, r#"{"error":{"message":"Slow down","type":"rate_limit_error","code":"slow_down"}}"#, "rate_word", Class::RateLimited),
    ("gemini", "gemini", 429, r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerMinutePerProject"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.4s"}]}}"#, "rate_word", Class::RateLimited),
    ("groq", "openai_chat", 413, r#"{"error":{"message":"Request too large for model `m` on tokens per minute (TPM)","type":"tokens","code":"rate_limit_exceeded"}}"#, "rate_word", Class::RateLimited),
    ("any", "openai_chat", 429, "", "rate_status", Class::RateLimited),
    ("any", "anthropic_messages", 429, "slow down", "rate_status", Class::RateLimited),
    ("groq", "openai_chat", 498, r#"{"error":{"message":"x"}}"#, "overloaded_status", Class::Overloaded),
    ("deepseek", "openai_chat", 503, "", "overloaded_status", Class::Overloaded),
    // Failures of the upstream.
    ("groq", "openai_chat", 400, r#"{"error":{"message":"Failed to call a function.","type":"invalid_request_error","code":"tool_use_failed","failed_generation":"x"}}"#, "server_tool_use_failed", Class::Server),
    ("anthropic", "anthropic_messages", 504, r#"{"type":"error","error":{"type":"timeout_error","message":"x"}}"#, "gateway_word", Class::BadGateway),
    ("openrouter", "openai_chat", 502, r#"{"error":{"code":502,"message":"x","metadata":{"error_type":"provider_unavailable"}}}"#, "gateway_word", Class::BadGateway),
    ("any", "openai_chat", 502, "<html><h1>502 Bad Gateway</h1></html>", "gateway_status", Class::BadGateway),
    ("any", "gemini", 522, "", "gateway_status", Class::BadGateway),
    ("openai", "openai_chat", 409, r#"{"error":{"message":"Conflict"}}"#, "server_conflict", Class::Server),
    ("openai", "openai_chat", 500, r#"{"error":{"message":"The server had an error","type":"server_error"}}"#, "server_status", Class::Server),
    ("anthropic", "anthropic_messages", 500, r#"{"type":"error","error":{"type":"api_error","message":"x"}}"#, "server_status", Class::Server),
    // Errors inside a 200, which have no status of their own.
    ("openai", "openai_chat", 200, r#"{"error":{"message":"x","type":"server_error"}}"#, "server_word", Class::Server),
    ("openrouter", "openai_chat", 200, r#"{"error":{"message":"x","code":429}}"#, "rate_status", Class::RateLimited),
    ("openai", "openai_chat", 200, r#"{"error":{"message":"x","type":"invalid_request_error"}}"#, "invalid_word", Class::InvalidRequest),
    // The request's own fault.
    ("openai", "openai_chat", 400, r#"{"error":{"message":"Unsupported parameter: 'max_tokens'","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#, "invalid_word", Class::InvalidRequest),
    ("mistral", "openai_chat", 422, r#"{"detail":[{"loc":["body","temperature"],"msg":"too hot","type":"less_than"}]}"#, "invalid_status", Class::InvalidRequest),
    ("any", "openai_chat", 413, "", "invalid_status", Class::InvalidRequest),
];

#[test]
fn every_fixture_means_what_it_must() {
    for (provider, dialect, status, body, rule, class) in FIXTURES {
        let verdict = judge(provider, dialect, *status, &[], body.as_bytes());
        assert_eq!((verdict.rule, verdict.class), (Some(*rule), *class), "{status} {body}");
    }
}

#[test]
fn every_rule_is_used_by_a_fixture() {
    let used: HashSet<&str> = FIXTURES.iter().map(|fixture| fixture.4).collect();
    let rules: Vec<&str> = rule_ids().collect();
    assert!(rules.len() > 20);
    assert_eq!(rules.iter().filter(|rule| !used.contains(*rule)).collect::<Vec<_>>(), [&""; 0]);
    assert_eq!(rules.iter().collect::<HashSet<_>>().len(), rules.len());
}

#[test]
fn unknown_statuses_are_judged_by_their_hundred() {
    for (status, class) in [
        (418, Class::InvalidRequest),
        (302, Class::BadGateway),
        (599, Class::Server),
        (200, Class::Server),
    ] {
        assert_eq!((openai(status, "").class, openai(status, "").rule), (class, None));
    }
}

#[test]
fn waits_are_read_from_headers_before_bodies() {
    let wait = |headers: &Headers, body: &str| {
        judge("openai", "openai_chat", 429, headers, body.as_bytes()).retry_after_ms
    };
    assert_eq!(wait(&[("retry-after", "7")], ""), Some(7_000));
    assert_eq!(wait(&[("retry-after", "Thu, 01 Jan 2026 00:00:09 GMT")], ""), Some(9_000));
    assert_eq!(wait(&[("retry-after", "Thu, 01 Jan 1998 00:00:09 GMT")], ""), Some(0));
    assert_eq!(wait(&[("retry-after", "7"), ("retry-after-ms", "1500.2")], ""), Some(1_501));
    let body = r#"{"error":{"message":"Please try again in 5.289s."}}"#;
    assert_eq!(wait(&[], body), Some(5_289));
    assert_eq!(wait(&[("retry-after", "2")], body), Some(2_000));
    assert_eq!(wait(&[("retry-after", "nonsense")], body), Some(5_289));
    assert_eq!(wait(&[], ""), None);
}

#[test]
fn reset_headers_count_where_something_is_used_up() {
    let wait = |headers: &Headers| judge("x", "openai_chat", 429, headers, b"").retry_after_ms;
    let pair =
        |left, reset| [("x-ratelimit-remaining-tokens", left), ("x-ratelimit-reset-tokens", reset)];
    assert_eq!(wait(&pair("0", "6m0s")), Some(360_000));
    assert_eq!(wait(&pair("5", "6m0s")), None);
    let anthropic = [
        ("anthropic-ratelimit-requests-remaining", "0"),
        ("anthropic-ratelimit-requests-reset", "2026-01-01T00:00:30Z"),
    ];
    assert_eq!(wait(&anthropic), Some(30_000));
    let epoch = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1767225610000")];
    assert_eq!(wait(&epoch), Some(10_000));
}

#[test]
fn a_quota_has_a_reset_and_no_retry() {
    let body = br#"{"error":{"code":"insufficient_quota","message":"try again in 3s"}}"#;
    let verdict = judge("openai", "openai_chat", 429, &[("retry-after", "3600")], body);
    assert_eq!((verdict.retry_after_ms, verdict.quota_reset_ms), (None, Some(3_600_000)));
    let silent = judge("openai", "openai_chat", 429, &[], body);
    assert_eq!(silent.quota_reset_ms, None);
}

#[test]
fn google_names_the_wait_in_the_body() {
    let body = br#"{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.4s"}]}}"#;
    assert_eq!(judge("gemini", "gemini", 429, &[], body).retry_after_ms, Some(34_400));
    assert_eq!(judge("gemini", "openai_chat", 429, &[], body).retry_after_ms, Some(34_400));
}

#[test]
fn bedrocks_exception_comes_in_a_header() {
    let headers = [("x-amzn-errortype", "ThrottlingException:http://x")];
    let verdict = judge("bedrock", "openai_chat", 400, &headers, br#"{"message":"Wait"}"#);
    assert_eq!((verdict.class, verdict.rule), (Class::RateLimited, Some("rate_word")));
}

#[test]
fn errors_inside_streams_are_judged_by_their_own_words() {
    let report = |kind: Option<&str>, status, message: &str| Reported {
        status,
        kind: kind.map(str::to_owned),
        message: message.to_owned(),
        retry_after_ms: Some(1_000),
        ..Reported::default()
    };
    for (reported, class, wait) in [
        (report(Some("overloaded_error"), None, ""), Class::Overloaded, Some(1_000)),
        (report(Some("rate_limit_error"), None, ""), Class::RateLimited, Some(1_000)),
        (report(Some("authentication_error"), None, ""), Class::Auth, None),
        (report(None, Some(503), "x"), Class::Overloaded, Some(1_000)),
        (report(None, None, "prompt is too long"), Class::ContextLength, None),
        (report(None, None, "x"), Class::Server, Some(1_000)),
    ] {
        assert_eq!(classify_reported("p", "openai_chat", 200, &reported), (class, wait));
    }
}

proptest! {
    #[test]
    fn any_answer_gets_a_verdict(
        status in 100..600u16,
        body in proptest::collection::vec(any::<u8>(), 0..80),
        retry in "[ -~]{0,12}",
        reset in "[0-9TZ:.+-]{0,24}",
        dialect in prop_oneof!["openai_chat", "anthropic_messages", "gemini", "other"],
    ) {
        let headers = [("retry-after", retry.as_str()), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &reset)];
        let header = |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        let verdict = classify(&Sighting { provider: "p", dialect: &dialect, status, header: &header, body: &body, now_unix_ms: NOW });
        // A month is the longest wait believed where a duration is named.
        prop_assert!(verdict.retry_after_ms.is_none_or(|wait| wait < 1 << 53));
    }
}
