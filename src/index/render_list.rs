//! The project list, as JSON and HTML, with links relative to it.

use super::ProjectName;
use super::render_json::NEWEST;

/// Renders the project list as JSON (PEP 691), in the order given.
pub fn render_list_json<'a>(projects: impl IntoIterator<Item = &'a ProjectName>) -> Vec<u8> {
    let mut out = format!("{{\"meta\":{{\"api-version\":\"{NEWEST}\"}},\"projects\":[");
    for (i, name) in projects.into_iter().enumerate() {
        // A normalized name needs no escapes.
        out.push_str(if i == 0 { "{\"name\":\"" } else { ",{\"name\":\"" });
        out.push_str(name.as_str());
        out.push_str("\"}");
    }
    out.push_str("]}");
    out.into_bytes()
}

/// Renders the project list as HTML (PEP 503), in the order given.
pub fn render_list_html<'a>(projects: impl IntoIterator<Item = &'a ProjectName>) -> Vec<u8> {
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n\
         <meta name=\"pypi:repository-version\" content=\"{NEWEST}\">\n\
         <title>Simple index</title>\n</head>\n<body>\n"
    );
    for name in projects {
        for text in ["<a href=\"", name.as_str(), "/\">", name.as_str(), "</a><br>\n"] {
            out.push_str(text);
        }
    }
    out.push_str("</body>\n</html>\n");
    out.into_bytes()
}
