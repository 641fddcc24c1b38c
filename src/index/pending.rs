#![allow(missing_docs, clippy::all)]
use super::*;
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    Json,
    Html,
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Links {
    pub tuf: String,
}
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct ParseError;
pub fn parse_signed(_b: &[u8]) -> Result<(ProjectPage, Links), ParseError> {
    Err(ParseError)
}
pub fn render_json(_p: &ProjectPage, _l: &Links) -> Vec<u8> {
    vec![]
}
pub fn render_html(_p: &ProjectPage, _l: &Links) -> Vec<u8> {
    vec![]
}
