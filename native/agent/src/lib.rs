//! The guest agent of vmpulse. It tells its host how the guest is, runs programs that the guest's configuration allows,
//! and feeds a watchdog while the guest's own checks pass.

mod addresses;
pub mod agent;
mod child;
pub mod config;
mod exec;
pub mod frame;
mod health;
pub mod listen;
mod network;
mod os;
mod power;
pub mod request;
mod resources;
mod stream;
pub mod sys;
mod watchdog;
