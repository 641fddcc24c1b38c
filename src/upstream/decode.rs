//! Reads a page or list whole, decompressed, within a bound.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body_util::BodyExt as _;
use url::Url;

use super::guard::Guarded;
use super::url_text::redacted;
use super::{BodyError, UpstreamError};

/// The whole body, at most `limit` bytes of it.
pub(super) async fn collect(
    url: &Url,
    headers: &HeaderMap,
    body: Guarded,
    limit: u64,
) -> Result<Bytes, UpstreamError> {
    let announced = content_length(headers).unwrap_or_default();
    if announced > limit {
        return Err(UpstreamError::TooLarge { url: redacted(url), limit });
    }
    match encoding(headers) {
        Encoding::Identity => read(url, body, Bounded::new(limit)).await.map(Bounded::into_bytes),
        Encoding::Gzip => {
            let decoder = MultiGzDecoder::new(Bounded::new(limit));
            let decoder = read(url, body, decoder).await?;
            decoder.finish().map(Bounded::into_bytes).map_err(|error| sort(url, limit, &error))
        }
        Encoding::Zstd => {
            let compressed = read(url, body, Bounded::new(limit)).await?.into_bytes();
            unzstd(&compressed, limit).map_err(|error| sort(url, limit, &error))
        }
        Encoding::Other => {
            Err(UpstreamError::Encoding { url: redacted(url), why: "not one that was asked for" })
        }
    }
}

/// Decompresses, at most `limit` bytes.
fn unzstd(compressed: &[u8], limit: u64) -> io::Result<Bytes> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(compressed)?;
    decoder.window_log_max(LARGEST_WINDOW)?;
    let mut to = Bounded::new(limit);
    io::copy(&mut decoder, &mut to)?;
    Ok(to.into_bytes())
}

/// What a decoder for HTTP must take, and need not go beyond (RFC 9659): 8 MiB, as a power of two.
const LARGEST_WINDOW: u32 = 23;

/// Writes the body into `to`.
async fn read<W: Write>(url: &Url, mut body: Guarded, mut to: W) -> Result<W, UpstreamError> {
    let limit = body.limit();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error {
            BodyError::Upstream(error) => error,
            other => UpstreamError::Malformed { url: redacted(url), why: other.to_string() },
        })?;
        if let Ok(data) = frame.into_data() {
            to.write_all(&data).map_err(|error| sort(url, limit, &error))?;
        }
    }
    Ok(to)
}

fn sort(url: &Url, limit: u64, error: &io::Error) -> UpstreamError {
    let url = redacted(url);
    match error.kind() {
        io::ErrorKind::FileTooLarge => UpstreamError::TooLarge { url, limit },
        io::ErrorKind::UnexpectedEof => UpstreamError::Truncated { url },
        _ => UpstreamError::Encoding { url, why: "broken" },
    }
}

/// The `Content-Length` that a head announces, bytes.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Zstd,
    Other,
}

/// How the body under `headers` is encoded.
pub(super) fn encoding(headers: &HeaderMap) -> Encoding {
    let mut found = Encoding::Identity;
    let values = headers.get_all(CONTENT_ENCODING).iter();
    for word in values.flat_map(|value| value.as_bytes().split(|b| *b == b',')) {
        let word = word.trim_ascii().to_ascii_lowercase();
        found = match (word.as_slice(), found) {
            (b"" | b"identity", found) => found,
            (b"gzip" | b"x-gzip", Encoding::Identity) => Encoding::Gzip,
            (b"zstd", Encoding::Identity) => Encoding::Zstd,
            _ => return Encoding::Other,
        };
    }
    found
}

/// A buffer that refuses to grow past its limit. It grows block by block: one that is doubled and copied would take
/// half as much again as a hostile body may have.
struct Bounded {
    blocks: Vec<Vec<u8>>,
    length: u64,
    limit: u64,
}

/// Bytes.
const BLOCK: usize = 1024 * 1024;

impl Bounded {
    fn new(limit: u64) -> Self {
        Self { blocks: Vec::new(), length: 0, limit }
    }

    fn into_bytes(self) -> Bytes {
        let length = self.blocks.iter().map(Vec::len).sum();
        let mut bytes = Vec::with_capacity(length);
        // Each block is freed once it is copied.
        for block in self.blocks {
            bytes.extend_from_slice(&block);
        }
        bytes.into()
    }
}

impl Write for Bounded {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.length + data.len() as u64 > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.length += data.len() as u64;
        match self.blocks.last_mut() {
            Some(block) if block.len() + data.len() <= BLOCK => block.extend_from_slice(data),
            _ => self.blocks.push(data.to_vec()),
        }
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn gunzip(data: &[u8], limit: u64) -> io::Result<Vec<u8>> {
        let mut decoder = MultiGzDecoder::new(Bounded::new(limit));
        decoder.write_all(data)?;
        decoder.finish().map(|bounded| bounded.into_bytes().to_vec())
    }

    #[test]
    fn encodings_are_told_apart() {
        for (value, expected) in [
            ("", Encoding::Identity),
            ("identity", Encoding::Identity),
            ("GZip", Encoding::Gzip),
            ("x-gzip", Encoding::Gzip),
            ("gzip, gzip", Encoding::Other),
            ("zstd", Encoding::Zstd),
            ("zstd, gzip", Encoding::Other),
            ("br", Encoding::Other),
            ("deflate", Encoding::Other),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(value));
            assert_eq!(encoding(&headers), expected, "{value}");
        }
        assert_eq!(encoding(&HeaderMap::new()), Encoding::Identity);
    }

    #[test]
    fn several_gzip_members_are_one_body() {
        let both = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(gunzip(&both, 100).unwrap(), b"one two");
    }

    #[test]
    fn zstd_is_bounded_in_length_and_in_window() {
        let data = vec![7; 10_000_000];
        let whole = zstd::bulk::compress(&data, 9).unwrap();
        assert_eq!(unzstd(&whole, 10_000_000).unwrap(), data);
        assert_eq!(unzstd(&whole, 1000).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        let mut wide = zstd::stream::write::Encoder::new(Vec::new(), 9).unwrap();
        wide.window_log(27).unwrap();
        wide.write_all(&data).unwrap();
        assert!(unzstd(&wide.finish().unwrap(), 10_000_000).is_err());
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let bomb = gzip(&vec![0; 10_000_000]);
        assert_eq!(gunzip(&bomb, 1000).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(gunzip(&bomb, 10_000_000).unwrap().len(), 10_000_000);
    }

    proptest! {
        #[test]
        fn no_truncated_gzip_is_taken(data in prop::collection::vec(any::<u8>(), 0..300), cut in any::<prop::sample::Index>()) {
            let whole = gzip(&data);
            prop_assert_eq!(gunzip(&whole, 300).unwrap(), data);
            let cut = cut.index(whole.len());
            prop_assert!(gunzip(&whole[..cut], 300).is_err());
        }

        #[test]
        fn no_truncated_zstd_is_taken(data in prop::collection::vec(any::<u8>(), 0..300), cut in any::<prop::sample::Index>()) {
            let whole = zstd::bulk::compress(&data, 3).unwrap();
            prop_assert_eq!(unzstd(&whole, 300).unwrap(), data);
            let cut = cut.index(whole.len());
            prop_assert!(cut == 0 || unzstd(&whole[..cut], 300).is_err());
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(data in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = unzstd(&data, 1000);
            let _ = gunzip(&data, 1000);
        }
    }
}
