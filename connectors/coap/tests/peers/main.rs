//! Both modes with the clients and servers of others, and over a network that loses and reorders.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

mod aiocoap;
mod bad_input;
mod libcoap;
mod libcoap_server;
mod lossy;
mod multicast;
mod observed;
mod secured;
mod source;
