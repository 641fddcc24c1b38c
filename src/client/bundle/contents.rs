//! Where in a tar file things lie. The file may be anybody's: it is read strictly, and only what a bundle needs is taken.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use tar::{Archive, EntryType, Header};

use super::names::{self, LONGEST};

/// What a tar file is made of, bytes.
const BLOCK: u64 = 512;
/// The end of a tar file: two blocks of zeros.
const END: u64 = 2 * BLOCK;
/// More than any bundle needs; bounds memory.
const MOST: usize = 500_000;

/// What is in a tar file: the key of each entry (see [`names::key`]), and the bytes that it takes.
pub type Contents = HashMap<String, Range<u64>>;

/// Why a file is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum Flaw {
    /// The disk failed, or what stands there is no tar file.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Links, folders, devices, sparse files, extended headers.
    #[error("{name:?} is not a plain file")]
    Kind {
        /// The entry.
        name: String,
    },
    /// A name that nothing in a bundle has.
    #[error("it has an entry {name:?}, which no bundle has")]
    Name {
        /// The entry, cut.
        name: String,
    },
    /// Two entries for one thing.
    #[error("it has {name:?} twice")]
    Twice {
        /// The entry.
        name: String,
    },
    /// More entries than are taken.
    #[error("it has more than {MOST} entries")]
    TooMany,
    /// It ends too early.
    #[error("it is cut short")]
    Short,
    /// It goes on after its end.
    #[error("something follows after its end")]
    Trailing,
    /// It begins with something else than its description.
    #[error("it does not begin with {}", names::MANIFEST)]
    Manifest,
}

/// Reads the headers of a tar file that is `length` bytes long.
///
/// # Errors
/// [`Flaw`], where it is not exactly what is written here.
pub fn scan<R: Read + Seek>(from: R, length: u64) -> Result<Contents, Flaw> {
    let mut archive = Archive::new(from);
    let mut contents = Contents::new();
    let mut long_name = None;
    let mut end = 0;
    // Raw: what the crate makes of extended headers is not bounded in memory.
    for entry in archive.entries_with_seek()?.raw(true) {
        let mut entry = entry?;
        let header = entry.header().clone();
        let (at, size) = (entry.raw_file_position(), header.entry_size()?);
        end = padded(at, size).filter(|end| *end <= length).ok_or(Flaw::Short)?;
        if header.as_gnu().is_some() && header.entry_type() == EntryType::GNULongName {
            if long_name.is_some() || size > LONGEST {
                return Err(Flaw::Kind { name: shown(&header.path_bytes()) });
            }
            let mut name = Vec::new();
            entry.read_to_end(&mut name)?;
            long_name = Some(name);
            continue;
        }
        let name = name(&header, long_name.take())?;
        let key = names::key(&name).ok_or_else(|| Flaw::Name { name: shown(name.as_bytes()) })?;
        if contents.is_empty() && key != names::MANIFEST {
            return Err(Flaw::Manifest);
        }
        if contents.len() >= MOST {
            return Err(Flaw::TooMany);
        }
        match contents.entry(key) {
            Slot::Vacant(slot) => slot.insert(at..at + size),
            Slot::Occupied(_) => return Err(Flaw::Twice { name }),
        };
    }
    if long_name.is_some() {
        return Err(Flaw::Short);
    }
    if contents.is_empty() {
        return Err(Flaw::Manifest);
    }
    ends(archive.into_inner(), end, length)?;
    Ok(contents)
}

/// Where the next header is.
fn padded(at: u64, size: u64) -> Option<u64> {
    at.checked_add(size)?.checked_next_multiple_of(BLOCK)
}

/// The name of a plain file.
fn name(header: &Header, long: Option<Vec<u8>>) -> Result<String, Flaw> {
    let short = header.path_bytes();
    // As old as tar itself is the other way to write a plain file; nobody needs it.
    if header.as_gnu().is_none() || header.as_bytes()[156] != b'0' {
        return Err(Flaw::Kind { name: shown(&short) });
    }
    let name = match long {
        None => short.to_vec(),
        Some(mut long) => {
            if long.last() == Some(&0) {
                long.pop();
            }
            // Two programs must not see two names.
            if !long.starts_with(&short) {
                return Err(Flaw::Name { name: shown(&long) });
            }
            long
        }
    };
    String::from_utf8(name).map_err(|error| Flaw::Name { name: shown(error.as_bytes()) })
}

/// Two blocks of zeros, and nothing else.
fn ends<R: Read + Seek>(mut file: R, end: u64, length: u64) -> Result<(), Flaw> {
    match length.checked_sub(end) {
        Some(END) => {}
        Some(more) if more > END => return Err(Flaw::Trailing),
        _ => return Err(Flaw::Short),
    }
    let mut last = [1; END as usize];
    file.seek(SeekFrom::Start(end))?;
    file.read_exact(&mut last)?;
    if last.iter().any(|byte| *byte != 0) {
        return Err(Flaw::Trailing);
    }
    Ok(())
}

/// A name as it may be shown.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().take(100).collect()
}
