//! The one struct that tells a request's story: who asked what, who was tried, what came of it.

use std::sync::Arc;

use serde::Serialize;

/// Everything worth telling about one request.
#[derive(Debug, Clone, Serialize)]
pub struct RequestRecord {
    /// Our id, as the client got it in `x-request-id`.
    pub request_id: Arc<str>,
    /// When it arrived, milliseconds since 1970.
    pub at_unix_ms: i64,
    /// The dialect it was asked in.
    pub door: &'static str,
    /// The model name of the request, shortened to 128 bytes.
    pub requested_model: Arc<str>,
    /// The same name if it is one we know, else `other`: safe as a metric label.
    #[serde(skip)]
    pub model_label: Arc<str>,
    /// The deployment that answered, `provider/model`.
    pub served_model: Option<Arc<str>>,
    /// The virtual key's name.
    pub key: Arc<str>,
    /// The team it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<Arc<str>>,
    /// The end user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Arc<str>>,
    /// The calling code path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature: Option<Arc<str>>,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// The status the client saw.
    pub status: u16,
    /// Our error code, if it ended in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// The private cause of an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// `ok`, or the reason of the last failure.
    pub outcome: &'static str,
    /// Every attempt in order.
    pub attempts: Vec<AttemptRecord>,
    /// The deployment that should have served and was left out, with its label and the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed_over: Option<PassedOver>,
    /// Whether every deployment tried failed: the cascade alarm.
    pub cascade: bool,
    /// Microseconds from arrival to the first content for the client.
    pub ttft_us: Option<u64>,
    /// Microseconds from arrival to the end.
    pub duration_us: u64,
    /// Bytes of the request body.
    pub bytes_in: u64,
    /// Body bytes sent to the client.
    pub bytes_out: u64,
    /// Input tokens, cached or not.
    pub input_tokens: u64,
    /// Output tokens, reasoning included.
    pub output_tokens: u64,
    /// The cost of all attempts, nano-dollars.
    pub cost_nanousd: i64,
    /// Malformed stream events that were dropped.
    #[serde(skip_serializing_if = "is_zero")]
    pub malformed_events: u32,
    /// Remarks that are no failure (`missing_done`, `usage_missing`, `overrun`, `pool_race`...).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<&'static str>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// A deployment left out because its breaker was open or it was cooling down.
#[derive(Debug, Clone, Serialize)]
pub struct PassedOver {
    /// `provider/model`.
    pub deployment: Arc<str>,
    /// The same, or `other`: safe as a metric label.
    #[serde(skip)]
    pub label: Arc<str>,
    /// `breaker_open` or `cooling_down`.
    pub reason: &'static str,
}

/// One attempt on one deployment.
#[derive(Debug, Clone, Serialize)]
pub struct AttemptRecord {
    /// `provider/model`.
    pub deployment: Arc<str>,
    /// Whether its name is one we know, and so safe as a metric label.
    #[serde(skip)]
    pub listed: bool,
    /// The provider's id.
    pub provider: Arc<str>,
    /// The upstream's model name.
    pub model: Arc<str>,
    /// The provider's region, empty if it has none.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub region: Arc<str>,
    /// `first`, `retry`, `fallback`, `credential`, `hedge` or `continue`.
    pub why: &'static str,
    /// `ok`, or the reason of its failure.
    pub outcome: &'static str,
    /// What the upstream said, shortened, secrets removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The upstream's HTTP status, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How it was booked: `final`, `failed`, `uncertain`, `hedge`, `interrupted`, `released`.
    pub ledger: &'static str,
    /// Microseconds from the known failure of the attempt before to this request on the wire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_us: Option<u64>,
    /// Microseconds from the request on the wire to the first content.
    pub ttft_us: Option<u64>,
    /// Microseconds from its start to its end.
    pub duration_us: u64,
    /// Input tokens booked.
    pub input_tokens: u64,
    /// Output tokens booked.
    pub output_tokens: u64,
    /// Nano-dollars booked.
    pub cost_nanousd: i64,
}

impl AttemptRecord {
    /// This name of the deployment as a metric label: `other` where only a client has named it.
    #[must_use]
    pub fn label(&self, name: &Arc<str>) -> Arc<str> {
        if self.listed { Arc::clone(name) } else { Arc::from("other") }
    }
}

/// One step from a deployment to another.
#[derive(Debug, Clone, Serialize)]
pub struct FallbackRecord<'a> {
    /// Our request id.
    pub request_id: &'a str,
    /// The model name of the request.
    pub requested_model: &'a str,
    /// The deployment that failed.
    pub from: &'a Arc<str>,
    /// The deployment tried next.
    pub to: &'a Arc<str>,
    /// Both as metric labels.
    #[serde(skip)]
    pub labels: [Arc<str>; 2],
    /// Why the first failed.
    pub reason: &'static str,
    /// How many attempts the request took up to and with this one.
    pub attempt: usize,
    /// Microseconds from the known failure to the next request on the wire.
    pub decision_us: Option<u64>,
    /// The deployment that answered in the end.
    pub served_model: Option<&'a str>,
}

impl RequestRecord {
    /// The fallbacks in order: from the deployment that was passed over to the first one tried, then
    /// among the attempts. A hedge beside an attempt that answered is none.
    pub fn fallbacks(&self) -> impl Iterator<Item = FallbackRecord<'_>> {
        let first = self.passed_over.as_ref().zip(self.attempts.first());
        let before = first.map(|(from, to)| FallbackRecord {
            request_id: &self.request_id,
            requested_model: &self.requested_model,
            from: &from.deployment,
            to: &to.deployment,
            labels: [Arc::clone(&from.label), to.label(&to.deployment)],
            reason: from.reason,
            attempt: 1,
            decision_us: None,
            served_model: self.served_model.as_deref(),
        });
        let among = self.attempts.windows(2).enumerate().filter_map(move |(number, pair)| {
            let [from, to] = pair else { return None };
            let left = from.outcome != "ok" && from.deployment != to.deployment;
            left.then(|| FallbackRecord {
                request_id: &self.request_id,
                requested_model: &self.requested_model,
                from: &from.deployment,
                to: &to.deployment,
                labels: [from.label(&from.deployment), to.label(&to.deployment)],
                reason: from.outcome,
                attempt: number + 2,
                decision_us: to.decision_us,
                served_model: self.served_model.as_deref(),
            })
        });
        before.into_iter().chain(among)
    }
}
