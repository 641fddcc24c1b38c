//! A proxy between a real mirror and raw clients.

mod documents;
mod files;
mod passing;
mod site;
mod streams;
