//! tuf
