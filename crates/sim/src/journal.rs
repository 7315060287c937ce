//! What happened, and what it costs: the journal and the bill.
//!
//! The journal holds one entry per request for an answer, from its arrival on; the bill is made
//! from the simulator's own counts and prices when a request is over. Both are bounded: the oldest
//! rows are forgotten, the totals are not. Times are microseconds of the runtime's clock since the
//! simulator was made.

use std::collections::VecDeque;

use serde::{Serialize, Serializer};

use crate::answer::Usage;
use crate::chance::Fnv;
use crate::dialect::Dialect;
use crate::reply::Billing;
use crate::settings::Price;

/// How a reply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Still being played.
    Running,
    /// Sent to its last byte.
    Finished,
    /// Ended too early on purpose.
    Cut,
    /// Reset on purpose.
    Reset,
    /// The client left first.
    ClientGone,
}

/// One request for an answer.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// The id told in the answer and its headers.
    pub id: String,
    /// Counts all requests of the simulator, from 1.
    pub number: u64,
    /// The provider it came to.
    pub provider: String,
    /// When its last byte had been read.
    pub arrived_us: u64,
    /// Its wire format.
    pub dialect: Dialect,
    /// The model named in it, "" when none could be read.
    pub model: String,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// The last four characters of its key.
    pub key: String,
    /// How it said who it is: `bearer`, a header's name, or algorithm and scope of a signature
    /// (`AWS4-HMAC-SHA256 20260101/us-east-1/bedrock/aws4_request`).
    pub scheme: String,
    /// `http/1.1` or `h2`.
    pub protocol: &'static str,
    /// Which connection it came on, counted from 1.
    pub connection: u64,
    /// Path and query, without keys.
    pub path: String,
    /// Header names in lower case with values; secrets are cut to their last four characters.
    pub headers: Vec<(String, String)>,
    /// Bytes of its body.
    pub body_bytes: u64,
    /// FNV-1a of its body.
    #[serde(serialize_with = "hex")]
    pub body_hash: u64,
    /// The fault played, as it would be asked for; "" for none.
    pub fault: String,
    /// The status sent.
    pub status: u16,
    /// When the first byte was sent.
    pub first_byte_us: Option<u64>,
    /// Bytes of body sent, without chunk framing.
    pub bytes_sent: u64,
    /// FNV-1a of those bytes.
    #[serde(serialize_with = "hex")]
    pub sent_hash: u64,
    /// Tokens of the answer sent.
    pub tokens_sent: u32,
    /// When the client was seen to have left before the end.
    pub disconnected_us: Option<u64>,
    /// When the reply was over.
    pub ended_us: Option<u64>,
    /// How it ended.
    pub ending: Ending,
    /// What it costs, in nano-dollars.
    pub cost_nanousd: i64,
}

impl Entry {
    /// Whether the whole reply was sent.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.ending == Ending::Finished
    }

    /// The value of a header of the request.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

fn hex<S: Serializer>(hash: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{hash:016x}"))
}

/// The bill so far.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Bill {
    /// The sum of all rows ever written, in nano-dollars.
    pub total_nanousd: i64,
    /// How many requests were billed, those at 0 included.
    pub requests: u64,
    /// Input tokens charged.
    pub input_tokens: u64,
    /// Output tokens charged.
    pub output_tokens: u64,
    /// The newest rows.
    pub rows: VecDeque<BillRow>,
}

/// What one request costs.
#[derive(Debug, Clone, Serialize)]
pub struct BillRow {
    /// The request's id.
    pub id: String,
    /// The provider that charges.
    pub provider: String,
    /// The model asked for.
    pub model: String,
    /// Input tokens charged, cached ones among them.
    pub input_tokens: u32,
    /// Cached input tokens among them.
    pub cached_tokens: u32,
    /// Output tokens charged.
    pub output_tokens: u32,
    /// The cost, rounded up once.
    pub cost_nanousd: i64,
}

/// What a request may cost, until it is over.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    pub(crate) number: u64,
    pub(crate) id: String,
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) price: Price,
    pub(crate) usage: Usage,
    pub(crate) billing: Billing,
}

/// What was really sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) bytes: u64,
    /// Only kept where there is a journal to tell it.
    pub(crate) hash: Option<Fnv>,
    pub(crate) tokens: u32,
    pub(crate) first_byte: Option<tokio::time::Instant>,
    pub(crate) ending: Ending,
}

impl Tally {
    pub(crate) fn new(hashing: bool) -> Self {
        Self {
            bytes: 0,
            hash: hashing.then(Fnv::default),
            tokens: 0,
            first_byte: None,
            ending: Ending::Running,
        }
    }

    /// Counts bytes of body.
    pub(crate) fn sent(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if let Some(hash) = &mut self.hash {
            hash.update(bytes);
        }
    }
}

impl Ticket {
    /// The row of the bill, given what was sent.
    pub(crate) fn row(&self, tally: &Tally) -> BillRow {
        let whole = tally.ending == Ending::Finished;
        let (input, output) = match self.billing {
            Billing::Nothing => (0, 0),
            Billing::Input => (self.usage.input, 0),
            Billing::Usage if whole => (self.usage.input, self.usage.output),
            Billing::Sent | Billing::Usage => (self.usage.input, tally.tokens),
        };
        let cached = self.usage.cached.min(input);
        BillRow {
            id: self.id.clone(),
            provider: self.provider.clone(),
            model: self.model.clone(),
            input_tokens: input,
            cached_tokens: cached,
            output_tokens: output,
            cost_nanousd: cost(&self.price, input - cached, cached, output),
        }
    }
}

/// Pico-dollars, rounded up once to nano-dollars.
fn cost(price: &Price, input: u32, cached: u32, output: u32) -> i64 {
    let part = |tokens: u32, price: u64| u128::from(tokens) * u128::from(price);
    let pico =
        part(input, price.input) + part(cached, price.cached_input) + part(output, price.output);
    i64::try_from(pico.div_ceil(1_000)).unwrap_or(i64::MAX)
}

/// The books of a simulator.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) entries: VecDeque<Entry>,
    pub(crate) bill: Bill,
    pub(crate) capacity: usize,
}

impl Books {
    pub(crate) fn open(&mut self, entry: Entry) {
        if self.entries.len() >= self.capacity {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    /// Writes the row of a finished request; rows and entries only where `keep` says that one by
    /// one is wanted.
    pub(crate) fn close(
        &mut self,
        row: BillRow,
        number: u64,
        keep: bool,
        fill: impl FnOnce(&mut Entry),
    ) {
        self.bill.total_nanousd = self.bill.total_nanousd.saturating_add(row.cost_nanousd);
        self.bill.requests += 1;
        self.bill.input_tokens += u64::from(row.input_tokens);
        self.bill.output_tokens += u64::from(row.output_tokens);
        if !keep {
            return;
        }
        let first = self.entries.front().map_or(number, |entry| entry.number);
        let place = number.checked_sub(first).and_then(|at| usize::try_from(at).ok());
        let guess = place.and_then(|at| self.entries.get(at)).is_some_and(|e| e.number == number);
        let entry = match place.filter(|_| guess) {
            Some(at) => self.entries.get_mut(at),
            None => self.entries.iter_mut().find(|entry| entry.number == number),
        };
        if let Some(entry) = entry {
            entry.cost_nanousd = row.cost_nanousd;
            fill(entry);
        }
        if self.bill.rows.len() >= self.capacity {
            self.bill.rows.pop_front();
        }
        self.bill.rows.push_back(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_rounded_up_once() {
        let price = Price { input: 1, cached_input: 0, output: 1 };
        assert_eq!(cost(&price, 1, 0, 1), 1);
        assert_eq!(cost(&Price::per_million(1, 2), 10, 0, 60), 130_000);
        assert_eq!(cost(&Price { input: u64::MAX, ..price }, u32::MAX, 0, 0), i64::MAX);
    }
}
