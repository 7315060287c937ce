//! Every door before every way upstream: conversations, plain calls, counts, what is passed
//! through, and the proofs that upstreams ask for.

mod asked;
mod array;
mod counting;
mod passing;
mod plain;
mod proofs;
mod refusals;
mod seals;
mod spliced;
mod strict;
mod tongue;
