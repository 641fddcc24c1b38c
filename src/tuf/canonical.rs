//! OLPC canonical JSON: the bytes that signatures are made over (TUF specification, section 4.2.1).
//!
//! Keys are sorted by the types themselves (`open_struct!`, `BTreeMap`); what is left is how
//! strings and numbers are written: only `"` and `\` are escaped, and there are no fractions.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};

/// The value has no canonical form: it holds a fraction.
#[derive(Debug, thiserror::Error)]
#[error("no canonical JSON: {0}")]
pub struct CanonicalError(#[from] serde_json::Error);

/// The canonical form of `value`.
///
/// # Errors
/// [`CanonicalError`] when a number in it is not an integer.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    let mut bytes = Vec::with_capacity(1024);
    value.serialize(&mut Serializer::with_formatter(&mut bytes, Olpc))?;
    Ok(bytes)
}

struct Olpc;

impl Formatter for Olpc {
    fn write_f32<W: ?Sized + Write>(&mut self, _: &mut W, value: f32) -> io::Result<()> {
        Err(fraction(value.into()))
    }

    fn write_f64<W: ?Sized + Write>(&mut self, _: &mut W, value: f64) -> io::Result<()> {
        Err(fraction(value))
    }

    fn write_char_escape<W: ?Sized + Write>(
        &mut self,
        to: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        let raw = match escape {
            CharEscape::Quote => return to.write_all(b"\\\""),
            CharEscape::ReverseSolidus => return to.write_all(b"\\\\"),
            CharEscape::Solidus => b'/',
            CharEscape::Backspace => 0x08,
            CharEscape::FormFeed => 0x0c,
            CharEscape::LineFeed => b'\n',
            CharEscape::CarriageReturn => b'\r',
            CharEscape::Tab => b'\t',
            CharEscape::AsciiControl(byte) => byte,
        };
        to.write_all(&[raw])
    }
}

fn fraction(value: f64) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{value} is not an integer"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn canonical(value: &Value) -> String {
        String::from_utf8(to_vec(value).unwrap()).unwrap()
    }

    #[test]
    fn keys_are_sorted_and_nothing_else_is_added() {
        let value: Value =
            serde_json::from_str(r#"{"b": [1, -2, null, true], "a": {"z": "", "y": {}}}"#).unwrap();
        assert_eq!(canonical(&value), r#"{"a":{"y":{},"z":""},"b":[1,-2,null,true]}"#);
    }

    #[test]
    fn only_quote_and_backslash_are_escaped() {
        assert_eq!(canonical(&json!("a\"b\\c/é\n\u{1}")), "\"a\\\"b\\\\c/é\n\u{1}\"");
    }

    #[test]
    fn fractions_are_refused() {
        assert!(to_vec(&json!({"a": 1.5})).is_err());
    }

    fn plain_json() -> impl Strategy<Value = Value> {
        let text = "[ -~é]{0,12}";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(text, inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// What is served can be the canonical form itself: without control characters it is plain compact JSON.
        #[test]
        fn is_compact_json(value in plain_json()) {
            let bytes = to_vec(&value).unwrap();
            prop_assert_eq!(&bytes, &serde_json::to_vec(&value).unwrap());
            prop_assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), value);
        }
    }
}
