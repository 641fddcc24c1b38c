//! A proxy between a real mirror and raw clients.

mod documents;
mod files;
mod passing;
pub(crate) mod site;
mod streams;
