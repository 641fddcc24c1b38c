//! Content types of the simple API, and their negotiation (PEP 691; RFC 9110, section 12.5.1).

/// A serialization of the simple API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// PEP 691.
    Json,
    /// PEP 503.
    Html,
}

const JSON: [&str; 2] =
    ["application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.latest+json"];
const HTML: [&str; 3] =
    ["text/html", "application/vnd.pypi.simple.v1+html", "application/vnd.pypi.simple.latest+html"];

impl Format {
    /// The content type that it is sent with.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/vnd.pypi.simple.v1+json",
            Self::Html => "text/html; charset=utf-8",
        }
    }

    /// The format that a content type names; parameters such as `charset` do not matter.
    pub fn of_content_type(content_type: &str) -> Option<Self> {
        let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if JSON.contains(&media.as_str()) {
            Some(Self::Json)
        } else if HTML.contains(&media.as_str()) {
            Some(Self::Html)
        } else {
            None
        }
    }

    fn types(self) -> &'static [&'static str] {
        match self {
            Self::Json => &JSON,
            Self::Html => &HTML,
        }
    }
}

/// What an `Accept` header asks for, as a format that we have; `None` where it takes none of them (406).
///
/// The higher quality wins. Where both are equal, JSON is chosen if it is named as exactly as
/// HTML, and HTML otherwise: `*/*`, no header and a browser get HTML.
pub fn negotiate(accept: Option<&str>, html_enabled: bool) -> Option<Format> {
    let accept = accept.map(str::trim).filter(|a| !a.is_empty()).unwrap_or("*/*");
    let ranges: Vec<Range> = accept.split(',').filter_map(Range::parse).collect();
    let json = Wish::of(Format::Json, &ranges);
    let html = if html_enabled { Wish::of(Format::Html, &ranges) } else { Wish::default() };
    if json.quality == 0 && html.quality == 0 {
        None
    } else if json.quality != html.quality {
        Some(if json.quality > html.quality { Format::Json } else { Format::Html })
    } else {
        let json_named = json.precision > 0 && json.precision >= html.precision;
        Some(if json_named { Format::Json } else { Format::Html })
    }
}

/// As [`negotiate`], with the query's `format=` before the header (PEP 691, "URL parameter").
pub fn requested(query: Option<&str>, accept: Option<&str>, html_enabled: bool) -> Option<Format> {
    let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    match pairs.into_iter().find(|(key, _)| key == "format") {
        // In a query, '+' is a space, and most people write it plainly.
        Some((_, value)) => Format::of_content_type(&value.replace(' ', "+"))
            .filter(|format| html_enabled || *format == Format::Json),
        None => negotiate(accept, html_enabled),
    }
}

/// How exactly a range names a type: `*/*`, `type/*`, `type/subtype`.
const EXACT: u8 = 2;

/// One media range of an `Accept` header.
struct Range {
    media: String,
    /// Thousandths.
    quality: u16,
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next().filter(|media| !media.is_empty())?.to_ascii_lowercase();
        let weight = parts.find_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")));
        let quality = weight.map_or(Some(1.0), |q| q.trim().parse::<f32>().ok())?;
        // The cast saturates, and takes NaN for 0.
        Some(Self { media, quality: (quality.clamp(0.0, 1.0) * 1000.0).round() as u16 })
    }

    /// How exactly this range names `media`, if it does.
    fn precision(&self, media: &str) -> Option<u8> {
        let kind = media.split('/').next();
        match self.media.as_str() {
            "*/*" | "*" => Some(0),
            range if range == media => Some(EXACT),
            range if range.strip_suffix("/*").is_some_and(|r| Some(r) == kind) => Some(1),
            _ => None,
        }
    }
}

/// How much a client wants a format.
#[derive(Default, PartialEq, Eq, PartialOrd, Ord)]
struct Wish {
    quality: u16,
    precision: u8,
}

impl Wish {
    fn of(format: Format, ranges: &[Range]) -> Self {
        // For each type the most exact range counts; for the format, its most wanted type.
        let of_type = |media: &&str| {
            ranges
                .iter()
                .filter_map(|range| Some((range.precision(media)?, range.quality)))
                .max()
                .map(|(precision, quality)| Self { quality, precision })
        };
        format.types().iter().filter_map(of_type).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Format::{Html, Json};

    const V1: &str = "application/vnd.pypi.simple.v1+json";

    #[test]
    fn real_clients_get_what_they_prefer() {
        let pip = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01";
        let uv = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01";
        let poetry = "application/vnd.pypi.simple.v1+json, */*;q=0.1";
        let browser =
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";
        for (accept, format) in
            [(pip, Json), (uv, Json), (poetry, Json), (V1, Json), (browser, Html)]
        {
            assert_eq!(negotiate(Some(accept), true), Some(format), "{accept}");
            assert_eq!(negotiate(Some(accept), false), Some(Json), "{accept}");
        }
    }

    #[test]
    fn html_is_the_default() {
        assert_eq!(negotiate(Some("application/*"), true), Some(Json));
        for accept in
            [None, Some(""), Some("*/*"), Some("*"), Some("text/*"), Some("text/html, */*")]
        {
            assert_eq!(negotiate(accept, true), Some(Html), "{accept:?}");
        }
        assert_eq!(negotiate(None, false), Some(Json));
        assert_eq!(negotiate(Some("text/html"), false), None);
    }

    #[test]
    fn qualities_decide() {
        for (accept, format) in [
            ("application/vnd.pypi.simple.v1+json;q=0.1, text/html;q=0.2", Some(Html)),
            ("application/vnd.pypi.simple.latest+json, text/html", Some(Json)),
            ("TEXT/HTML; Q=0.5 , application/vnd.pypi.simple.v1+json; q=0.4", Some(Html)),
            (
                "*/*, text/html;q=0, application/vnd.pypi.simple.v1+html;q=0, application/vnd.pypi.simple.latest+html;q=0",
                Some(Json),
            ),
            ("application/vnd.pypi.simple.v1+json;q=0", None),
            ("application/vnd.pypi.simple.v1+json;q=0, */*", Some(Html)),
            ("application/vnd.pypi.simple.v1+html", Some(Html)),
            ("application/vnd.pypi.simple.v9+json", None),
            ("application/json", None),
            ("text/plain", None),
            ("text/html;q=nonsense", None),
            (";;,,", None),
        ] {
            assert_eq!(negotiate(Some(accept), true), format, "{accept}");
        }
    }

    #[test]
    fn the_query_overrules_the_header() {
        let query = |q| requested(Some(q), Some("text/html"), true);
        assert_eq!(query("format=application/vnd.pypi.simple.v1+json"), Some(Json));
        assert_eq!(query("format=application%2Fvnd.pypi.simple.v1%2Bjson"), Some(Json));
        assert_eq!(query("format=application/vnd.pypi.simple.v9%2Bjson"), None);
        assert_eq!(query("other=1"), Some(Html));
        assert_eq!(requested(Some("format=text/html"), None, false), None);
        assert_eq!(requested(None, None, true), Some(Html));
    }

    #[test]
    fn content_types_are_known_with_parameters() {
        assert_eq!(Format::of_content_type("Text/HTML; charset=UTF-8"), Some(Html));
        assert_eq!(
            Format::of_content_type("application/vnd.pypi.simple.v1+json;charset=utf-8"),
            Some(Json)
        );
        for other in ["application/json", "", "application/vnd.pypi.simple.v2+json", "text/plain"] {
            assert_eq!(Format::of_content_type(other), None);
        }
    }
}
