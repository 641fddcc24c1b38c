//! The client against real servers on loopback.

mod connections;
mod files;
mod pages;
mod passing;
