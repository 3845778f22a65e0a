//! What is done to the service: each function does it for about the time given, and has undone it when it returns.

pub mod clients;
pub mod database;
pub mod disk;
pub mod network;
pub mod processes;
pub mod restore;
