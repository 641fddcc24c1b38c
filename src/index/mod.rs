//! The simple repository API: one model of a project page, its parsers and its
//! two deterministic renderers (PEP 503, 592, 629, 658, 691, 700, 708, 714, 740, 792).

pub mod model;
pub mod name;

pub use model::{CoreMetadata, File, ProjectPage, Source, Sources, Status, Yanked};
pub use name::{NameError, ProjectName};
