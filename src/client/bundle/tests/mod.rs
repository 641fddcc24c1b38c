//! Bundles: as files of anybody's, and as what comes of a repository.

mod create;
mod format;
