//! The simple repository API: one model of a project page, its parsers and its
//! two deterministic renderers (PEP 503, 592, 629, 658, 691, 700, 708, 714, 740, 792).
//!
//! Pure: bytes in, values out. Whatever a parser is given, its memory stays within a small
//! multiple of the input and its time nearly linear in it.

pub mod accept;
pub mod filename;
mod hashes;
mod html;
mod json;
mod links;
mod list;
mod listing;
mod markup;
pub mod model;
pub mod name;
mod normalize;
mod render_html;
mod render_json;
mod render_list;
mod value;

#[cfg(test)]
mod tests;

pub use accept::{Format, negotiate, requested};
pub use filename::{belongs_to, is_distribution, project_candidates};
pub use html::parse_html;
pub use json::{parse_json, parse_signed};
pub use links::Links;
pub use list::{ListedProject, ProjectList, parse_list};
pub use listing::{Listing, ParseError, Skipped, parse};
pub use model::{CoreMetadata, File, ProjectPage, Source, Sources, Status, Yanked};
pub use name::{NameError, ProjectName};
pub use render_html::render_html;
pub use render_json::render_json;
pub use render_list::{render_list_html, render_list_json};
