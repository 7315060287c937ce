//! Sampling fields as Claude takes them, on whichever dialect it is reached.
//!
//! Temperature stops at 1. Of a foreign pair of temperature and `top_p` only the first goes out,
//! because recent models refuse both together; thinking refuses them all. Stop texts of white space
//! are refused.

use crate::dialect::Target;
use crate::dropped::Dropped;
use crate::hub::Request;

/// What to send.
pub(crate) struct Sampling {
    /// The temperature, 0..1.
    pub(crate) temperature: Option<f64>,
    /// Nucleus mass.
    pub(crate) top_p: Option<f64>,
    /// Sampling among the k likeliest.
    pub(crate) top_k: Option<u64>,
    /// Texts that end the answer; `None` for no such text.
    pub(crate) stop: Option<Vec<String>>,
}

/// Decides for this request in the dialect `id` and names what has to be left out. `thinking`: the
/// model will think.
pub(crate) fn of(
    id: &str,
    request: &Request,
    target: &Target<'_>,
    thinking: bool,
    dropped: &mut Dropped,
) -> Sampling {
    let own = request.origin == id;
    let silent = target.quirks.no_sampling || (thinking && !own);
    let top_p = request.top_p.filter(|_| !silent && (own || request.temperature.is_none()));
    let temperature = request.temperature.filter(|_| !silent);
    let top_k = request.top_k.filter(|_| !silent);
    dropped.add_if(temperature.is_none() && request.temperature.is_some(), "temperature");
    dropped.add_if(top_p.is_none() && request.top_p.is_some(), "top_p");
    dropped.add_if(top_k.is_none() && request.top_k.is_some(), "top_k");
    let highest = match target.quirks.max_temperature_centi {
        0 => 1.0,
        centi => f64::from(centi.min(100)) / 100.0,
    };
    let stop: Vec<_> =
        request.stop.iter().filter(|text| !text.trim().is_empty()).cloned().collect();
    dropped.add_if(stop.len() < request.stop.len(), "stop");
    Sampling {
        temperature: temperature.map(|wish| wish.clamp(0.0, highest)),
        top_p,
        top_k,
        stop: (!stop.is_empty()).then_some(stop),
    }
}
