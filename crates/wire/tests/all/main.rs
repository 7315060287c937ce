//! Everything about `wire` that is checked from outside, one module per subject.

#[cfg(test)]
mod anthropic;
#[cfg(test)]
mod bedrock;
#[cfg(test)]
mod completions;
#[cfg(test)]
mod cohere;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod eventstream;
#[cfg(test)]
mod fuzzing;
#[cfg(test)]
mod gemini;
#[cfg(test)]
mod join;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod laws_of_all;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod meaning;
#[cfg(test)]
mod meter;
#[cfg(test)]
mod openai_chat;
#[cfg(test)]
mod openai_chat_laws;
#[cfg(test)]
mod openai_recorded;
#[cfg(test)]
mod peek;
#[cfg(test)]
mod plain;
#[cfg(test)]
mod recorded_calls;
#[cfg(test)]
mod recordings;
#[cfg(test)]
mod responses;
#[cfg(test)]
mod responses_laws;
#[cfg(test)]
mod responses_recorded;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod splice;
#[cfg(test)]
mod sse;
#[cfg(test)]
mod crossing;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod state;
#[cfg(test)]
mod expressible;
#[cfg(test)]
mod rendered;
mod thinking;
