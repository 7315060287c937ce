//! The fault table, row by row: what the client sees, what the breaker counts, what is booked, and
//! whether the simulator's journal agrees.
//!
//! `row` holds the form that most rows share and the one check of it; the other files hold the rows,
//! in the table's order within each kind. Rows that are stories of several requests are in
//! `sequences`, those that only a kernel can play honestly in `sockets`.

mod row;

mod connection;
mod refusals;
mod silence;
mod streams;
mod usage;
mod bodies;
mod sequences;
mod sockets;
mod storm;
