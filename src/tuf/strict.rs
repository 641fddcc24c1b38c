//! JSON in which every object names each of its keys once.
//!
//! Parsers differ on which of two equal keys counts, so that two readers of one signed text could be shown different things.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

/// Any JSON value; a key that stands twice is an error.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Strict(pub(super) Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any).map(Self)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = seq.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut values = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            if values.contains_key(&key) {
                return Err(A::Error::custom(format_args!("{key:?} stands twice")));
            }
            let Strict(value) = map.next_value()?;
            values.insert(key, value);
        }
        Ok(Value::Object(values.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Value, String> {
        let read = serde_json::from_str::<Strict>(text);
        read.map(|Strict(value)| value).map_err(|error| error.to_string())
    }

    #[test]
    fn a_key_stands_once_in_its_object() {
        for good in [r#"{"a":{"a":1},"b":[{"a":1},{"a":2}]}"#, "[]", "-1.5", "null", r#""a""#] {
            assert_eq!(read(good), Ok(serde_json::from_str(good).unwrap()), "{good}");
        }
        for bad in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"a":{}}}]"#, r#"{"a":1,"\u0061":2}"#] {
            assert!(read(bad).unwrap_err().contains("\"a\" stands twice"), "{bad}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        assert!(read(&"[".repeat(100_000)).unwrap_err().contains("recursion limit"));
    }

    proptest! {
        #[test]
        fn numbers_are_read_as_everywhere(text in "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,3})?") {
            prop_assert_eq!(read(&text).ok(), serde_json::from_str(&text).ok());
        }
    }
}
