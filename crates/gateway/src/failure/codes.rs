//! Every error code in one flat table: status, type, who is at fault, what it means, what to do.

/// Who caused a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The request.
    Client,
    /// This program or its configuration.
    Gateway,
    /// A provider.
    Upstream,
}

/// One row of the table.
#[derive(Debug)]
pub struct CodeRow {
    /// The code.
    pub code: Code,
    /// Its name on the wire.
    pub name: &'static str,
    /// HTTP status.
    pub status: u16,
    /// OpenAI's error type.
    pub kind: &'static str,
    /// Who is at fault.
    pub fault: Fault,
    /// What it means, one sentence for the client.
    pub sentence: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

macro_rules! codes {
    ($( $variant:ident $name:literal $status:literal $kind:literal $fault:ident $sentence:literal $remedy:literal )*) => {
        /// The codes of the error answers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $( #[doc = $sentence] $variant, )* }

        /// Every code, in the order of the enum.
        pub static CODES: &[CodeRow] = &[ $( CodeRow {
            code: Code::$variant, name: $name, status: $status, kind: $kind, fault: Fault::$fault,
            sentence: $sentence, remedy: $remedy,
        }, )* ];

        impl Code {
            /// The code's row.
            #[must_use]
            pub fn row(self) -> &'static CodeRow {
                match self { $( Code::$variant => { static ROW: CodeRow = CodeRow {
                    code: Code::$variant, name: $name, status: $status, kind: $kind,
                    fault: Fault::$fault, sentence: $sentence, remedy: $remedy,
                }; &ROW } )* }
            }

            /// The code's name on the wire.
            #[must_use]
            pub fn name(self) -> &'static str {
                self.row().name
            }
        }
    };
}

codes! {
    InvalidJson "invalid_json" 400 "invalid_request_error" Client
        "The request body is not valid JSON." "Send one JSON object, UTF-8, as the message says where it breaks."
    InvalidRequest "invalid_request" 400 "invalid_request_error" Client
        "The request is not valid." "Correct the field named in `param`."
    DuplicateKey "duplicate_key" 400 "invalid_request_error" Client
        "A top-level key of the request body appears twice." "Send each key once; which one counts would be a guess."
    JsonTooDeep "json_too_deep" 400 "invalid_request_error" Client
        "The request body is nested too deeply." "Nest at most 64 levels."
    RequestTooLarge "request_too_large" 413 "invalid_request_error" Client
        "The request body is too large." "Send less, or raise `server.max_body`."
    SlowBody "request_body_timeout" 408 "invalid_request_error" Client
        "The request body did not arrive in time." "Check the client's connection and send the body at once."
    UnsupportedEncoding "unsupported_encoding" 415 "invalid_request_error" Client
        "The request body has a content encoding other than identity." "Send the body uncompressed."
    InvalidApiKey "invalid_api_key" 401 "authentication_error" Client
        "The API key is missing or not known to this gateway." "Send a key of this gateway as `Authorization: Bearer`, `x-api-key`, `x-goog-api-key` or `api-key`."
    PermissionDenied "permission_denied" 403 "permission_error" Client
        "This key may not do that." "Ask the gateway's operator for the right."
    UnknownPath "unknown_path" 404 "invalid_request_error" Client
        "There is nothing at this path." "Use a path of the API reference, such as /v1/chat/completions."
    MethodNotAllowed "method_not_allowed" 405 "invalid_request_error" Client
        "This path does not take that method." "Use the method that the API reference names."
    ModelNotFound "model_not_found" 404 "invalid_request_error" Client
        "No such model." "Use a name that GET /v1/models lists."
    PriceUnknown "price_unknown" 400 "invalid_request_error" Gateway
        "The price of this model is not known, so its cost cannot be bounded." "Give the model a price in the configuration, or set `unknown_price`."
    ContextLengthExceeded "context_length_exceeded" 400 "invalid_request_error" Client
        "The prompt does not fit the model's context window." "Shorten the conversation, or configure `context_fallbacks`."
    ContentPolicyViolation "content_policy_violation" 400 "invalid_request_error" Client
        "The provider's content filter refused the request." "Change the content, or configure `content_fallbacks`."
    RateLimitExceeded "rate_limit_exceeded" 429 "rate_limit_error" Upstream
        "The rate limit is reached." "Wait as long as `Retry-After` says."
    BudgetExceeded "budget_exceeded" 429 "rate_limit_error" Client
        "The budget is used up." "Wait for the window's reset, or raise the budget."
    NotCached "not_cached" 504 "invalid_request_error" Client
        "The request allows only a cached answer, and there is none." "Send it without `Cache-Control: only-if-cached`."
    Overloaded "overloaded" 503 "server_error" Gateway
        "The gateway has more work than it may take." "Try again shortly; raise `server.max_connections` if the machine has room."
    LedgerUnavailable "ledger_unavailable" 503 "server_error" Gateway
        "The ledger cannot be written, so no money may be spent." "Check the disk under `data_dir`."
    IdempotencyInProgress "idempotency_in_progress" 409 "invalid_request_error" Client
        "A request with this Idempotency-Key is still running." "Wait for the first one to end."
    UpstreamConnectFailed "upstream_connect_failed" 502 "upstream_error" Upstream
        "The provider could not be reached." "Try again; check the provider's base_url."
    UpstreamConnectTimeout "upstream_connect_timeout" 504 "timeout_error" Upstream
        "The provider did not accept a connection in time." "Try again; check the network, or raise `timeouts.connect`."
    FirstTokenTimeout "first_token_timeout" 504 "timeout_error" Upstream
        "The provider sent no content in time." "Try again, add a fallback, or raise `timeouts.first_token`."
    RequestTimeout "request_timeout" 504 "timeout_error" Upstream
        "The request took longer than it may." "Ask for less, or raise `timeouts.total`."
    UpstreamReset "upstream_reset" 502 "upstream_error" Upstream
        "The provider closed the connection without an answer." "Try again, or add a fallback."
    Upstream5xx "upstream_5xx" 502 "upstream_error" Upstream
        "The provider failed." "Try again, or add a fallback."
    UpstreamOverloaded "upstream_overloaded" 503 "upstream_error" Upstream
        "The provider is overloaded." "Wait as long as `Retry-After` says, or add a fallback."
    UpstreamAuthFailed "upstream_auth_failed" 502 "upstream_error" Gateway
        "The provider refused the gateway's credential." "The operator must check the provider's api_key."
    UpstreamQuotaExhausted "upstream_quota_exhausted" 502 "upstream_error" Gateway
        "The gateway's account with the provider is out of quota or money." "The operator must top up the account or add a credential."
    UpstreamInvalidResponse "upstream_invalid_response" 502 "upstream_error" Upstream
        "The provider's answer could not be understood." "Try again; if it stays, check the provider's dialect and base_url."
    UpstreamResponseTooLarge "upstream_response_too_large" 502 "upstream_error" Upstream
        "The provider's answer is larger than the gateway takes." "Ask for less."
    UpstreamError "upstream_error" 502 "upstream_error" Upstream
        "The provider reported an error inside its answer." "Try again, or add a fallback."
    StreamInterrupted "stream_interrupted" 502 "upstream_error" Upstream
        "The answer was cut before its end." "Treat what arrived as incomplete and ask again; `failover.mid_stream: continue` can repair plain text."
    UpstreamDnsFailed "upstream_dns_failed" 502 "upstream_error" Upstream
        "The provider's host name could not be resolved." "Check the provider's base_url and the machine's DNS."
    UpstreamTlsFailed "upstream_tls_failed" 502 "upstream_error" Upstream
        "The provider's TLS certificate could not be verified." "Check the provider's base_url; for a private authority set `ca_file`."
    UpstreamEmptyResponse "upstream_empty_response" 502 "upstream_error" Upstream
        "The provider's answer was empty." "Try again, or add a fallback."
    UpstreamRedirect "upstream_redirect" 502 "upstream_error" Upstream
        "The provider answered with a redirect, which is never followed." "Correct the provider's base_url."
    AllUpstreamsUnavailable "all_upstreams_unavailable" 503 "upstream_error" Upstream
        "Every deployment of this model is set aside at the moment." "Wait as long as `Retry-After` says, or add a fallback."
    InternalError "internal_error" 500 "server_error" Gateway
        "The gateway failed." "Report the request id to the operator."
}

/// The reference page of the codes, in Markdown.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# Error codes\n\n\
         Made from the table in `crates/gateway/src/failure/codes.rs`. Errors come in the client's dialect; in \
         OpenAI's they are `{\"error\":{\"message\",\"type\",\"param\",\"code\"}}`. A client error that a provider \
         reports keeps its own status.\n\n\
         | code | status | type | at fault | what it means | what to do |\n|---|---|---|---|---|---|\n",
    );
    for row in CODES {
        let fault = match row.fault {
            Fault::Client => "the request",
            Fault::Gateway => "the gateway or its configuration",
            Fault::Upstream => "the provider",
        };
        page.push_str(&format!(
            "| `{}` | {} | `{}` | {fault} | {} | {} |\n",
            row.name, row.status, row.kind, row.sentence, row.remedy
        ));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_statuses_are_errors() {
        let mut names: Vec<_> = CODES.iter().map(|row| row.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CODES.len());
        assert!(CODES.iter().all(|row| (400..600).contains(&row.status)));
        assert!(CODES.iter().all(|row| row.code.row().name == row.name));
    }
}
