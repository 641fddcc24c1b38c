//! Structs that keep the fields they do not know.
//!
//! TUF asks that unknown fields survive (specification, section 4.2), since signatures cover them, and
//! canonical JSON asks for sorted keys. `open_struct!` gives a struct both: known fields are declared in the
//! order of their JSON keys, unknown ones are merged in between. A required field may have a value for where it is absent.

use std::collections::BTreeMap;

/// How a field behaves when its key is absent.
pub trait Field: Sized {
    /// The value of an absent key; `None` where the key is required.
    fn absent() -> Option<Self> {
        None
    }

    /// Whether the key is left out when written.
    fn is_absent(&self) -> bool {
        false
    }
}

impl<T> Field for Option<T> {
    fn absent() -> Option<Self> {
        Some(None)
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl Field for bool {}
impl Field for u32 {}
impl Field for u64 {}
impl Field for String {}
impl<T> Field for Vec<T> {}
impl<K, V> Field for BTreeMap<K, V> {}

/// Unknown fields of an open struct.
pub type Extra = BTreeMap<String, serde_json::Value>;

/// Declares a struct with named JSON keys, in ascending order of the keys, and `extra` for all others.
macro_rules! open_struct {
    ($(#[$meta:meta])* pub struct $name:ident {
        $( $(#[$field_meta:meta])* $key:literal => $field:ident: $type:ty $(= $default:expr)?, )*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $type, )*
            /// Fields that are not known here; they are kept, since signatures cover them.
            pub extra: $crate::tuf::fields::Extra,
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap as _;
                let mut map = to.serialize_map(None)?;
                let mut extra = self.extra.iter().peekable();
                $(
                    while let Some((key, value)) = extra.next_if(|(key, _)| key.as_str() < $key) {
                        map.serialize_entry(key, value)?;
                    }
                    if !$crate::tuf::fields::Field::is_absent(&self.$field) {
                        map.serialize_entry($key, &self.$field)?;
                    }
                )*
                for (key, value) in extra {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct Visitor;

                impl<'de> serde::de::Visitor<'de> for Visitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("the object ", stringify!($name)))
                    }

                    fn visit_map<M: serde::de::MapAccess<'de>>(
                        self,
                        mut map: M,
                    ) -> Result<$name, M::Error> {
                        use serde::de::Error as _;
                        $( let mut $field: Option<$type> = None; )*
                        let mut extra = $crate::tuf::fields::Extra::new();
                        while let Some(key) = map.next_key::<String>()? {
                            match key.as_str() {
                                $( $key => {
                                    let value = map.next_value();
                                    let named =
                                        |error| M::Error::custom(format_args!("{}: {error}", $key));
                                    if $field.replace(value.map_err(named)?).is_some() {
                                        return Err(M::Error::duplicate_field($key));
                                    }
                                } )*
                                _ if extra.contains_key(&key) => {
                                    let twice = format_args!("{key:?} stands twice");
                                    return Err(M::Error::custom(twice));
                                }
                                _ => drop(extra.insert(key, map.next_value()?)),
                            }
                        }
                        Ok($name {
                            $( $field: match $field.or_else(<$type as $crate::tuf::fields::Field>::absent)$( .or(Some($default)) )? {
                                Some(value) => value,
                                None => return Err(M::Error::missing_field($key)),
                            }, )*
                            extra,
                        })
                    }
                }

                from.deserialize_map(Visitor)
            }
        }
    };
}

pub(super) use open_struct;

#[cfg(test)]
mod tests {
    open_struct! {
        /// A sample.
        pub struct Sample {
            /// First.
            "b" => b: u64,
            /// Second.
            "d" => d: Option<String>,
            /// Third.
            "f" => f: bool = true,
        }
    }

    #[test]
    fn unknown_fields_survive_in_order() {
        let text = r#"{"a":1,"b":2,"c":{"y":[],"z":null},"d":"x","e":3,"f":false}"#;
        let sample: Sample = serde_json::from_str(text).unwrap();
        assert_eq!((sample.b, sample.extra.len()), (2, 3));
        assert_eq!(serde_json::to_string(&sample).unwrap(), text);
    }

    #[test]
    fn errors_name_the_field_and_the_place() {
        let error = serde_json::from_str::<Sample>(r#"{"b":-1}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "b: invalid value: integer `-1`, expected u64 at line 1 column 7"
        );
    }

    #[test]
    fn absent_twice_and_missing() {
        let sample: Sample = serde_json::from_str(r#"{"b":2}"#).unwrap();
        assert_eq!((sample.d, sample.f), (None, true));
        for bad in [r#"{"d":"x"}"#, r#"{"b":1,"b":2}"#, r#"{"b":1,"z":2,"z":2}"#] {
            assert!(serde_json::from_str::<Sample>(bad).is_err(), "{bad}");
        }
    }
}
