//! The simulator as its clients see it, over pipes under a paused clock and over real sockets.
