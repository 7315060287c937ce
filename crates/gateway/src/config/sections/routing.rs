//! `timeouts`, `failover`, `breaker` and `upstream_stream`: general, and again in each group.
//!
//! A group's section inherits key by key from the general one, so a key that stands nowhere has
//! the table's default in both.

use std::time::Duration;

use crate::config::reader::{At, Reader};
use crate::config::types::{
    Breaker, Failover, Hedge, MidStream, TimeoutOverrides, Timeouts, UpstreamStream,
};
use crate::config::values::{self, Wrong};

/// Reads the clocks.
pub(in crate::config) fn timeouts(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    base: Option<&Timeouts>,
) -> Timeouts {
    let mut clock =
        |key: &str, of: fn(&Timeouts) -> Duration| reader.duration(&at.get(key), base.map(of));
    let timeouts = Timeouts {
        connect: clock("connect", |base| base.connect),
        first_token: clock("first_token", |base| base.first_token),
        read: clock("read", |base| base.read),
        total: clock("total", |base| base.total),
        early_headers_after: clock("early_headers_after", |base| base.early_headers_after),
        unstreamed_read: clock("unstreamed_read", |base| base.unstreamed_read),
        keep_alive_every: clock("keep_alive_every", |base| base.keep_alive_every),
        stalled_client: clock("stalled_client", |base| base.stalled_client),
    };
    if at.is_section() {
        within_total(reader, at, &timeouts);
    }
    timeouts
}

/// A clock that ends after `total` never rings.
fn within_total(reader: &mut Reader<'_>, at: &At<'_>, timeouts: &Timeouts) {
    let total = timeouts.total;
    for (name, clock) in [("connect", timeouts.connect), ("first_token", timeouts.first_token)] {
        if clock > total {
            let written = at.get(name);
            let place = if written.is_present() { written } else { at.get("total") };
            let message = format!("`{name}` ({clock:?}) is longer than `total` ({total:?})");
            reader.wrong(&place, Wrong::new(message));
        }
    }
}

/// Reads a provider's own clocks.
pub(in crate::config) fn overrides(reader: &mut Reader<'_>, at: &At<'_>) -> TimeoutOverrides {
    TimeoutOverrides {
        connect: reader.optional_duration(&at.get("connect")),
        first_token: reader.optional_duration(&at.get("first_token")),
        read: reader.optional_duration(&at.get("read")),
        unstreamed_read: reader.optional_duration(&at.get("unstreamed_read")),
    }
}

/// Reads what is done about failures.
pub(in crate::config) fn failover(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    base: Option<&Failover>,
) -> Failover {
    let patience = base.map(|base| base.retry_after_patience);
    let mid_stream = base.map(|base| base.mid_stream);
    Failover {
        max_attempts: reader.count(&at.get("max_attempts"), base.map(|base| base.max_attempts)),
        retries: reader.count(&at.get("retries"), base.map(|base| base.retries)),
        retry_after_patience: reader.duration(&at.get("retry_after_patience"), patience),
        mid_stream: reader.word(&at.get("mid_stream"), mid_stream, MID_STREAM, MidStream::Error),
        hedge: hedge(reader, &at.get("hedge"), base.map(|base| &base.hedge)),
    }
}

const MID_STREAM: &[(&str, MidStream)] =
    &[("error", MidStream::Error), ("continue", MidStream::Continue)];

fn hedge(reader: &mut Reader<'_>, at: &At<'_>, base: Option<&Hedge>) -> Hedge {
    let max_extra = base.map(|base| base.max_extra_ppm);
    Hedge {
        enabled: reader.flag(&at.get("enabled"), base.map(|base| base.enabled)),
        after: reader.duration(&at.get("after"), base.map(|base| base.after)),
        max_extra_ppm: reader.value(&at.get("max_extra"), max_extra, 0, values::percentage),
    }
}

/// Reads when a deployment is left alone.
pub(in crate::config) fn breaker(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    base: Option<&Breaker>,
) -> Breaker {
    Breaker {
        failures: reader.count(&at.get("failures"), base.map(|base| base.failures)),
        open_for: reader.duration(&at.get("open_for"), base.map(|base| base.open_for)),
    }
}

/// Reads whether upstreams are asked for streams.
pub(in crate::config) fn upstream_stream(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    base: Option<UpstreamStream>,
) -> UpstreamStream {
    reader.word(at, base, STREAM, UpstreamStream::Auto)
}

const STREAM: &[(&str, UpstreamStream)] =
    &[("auto", UpstreamStream::Auto), ("never", UpstreamStream::Never)];
