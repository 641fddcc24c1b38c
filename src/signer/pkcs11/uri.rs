//! PKCS#11 URIs (RFC 7512).

use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use super::super::{KeyUri, SignerError};

/// Which module, which token, which key. Attributes that are not given match all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::signer) struct Pkcs11Uri {
    pub(super) token: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) manufacturer: Option<String>,
    pub(super) model: Option<String>,
    pub(super) slot: Option<u64>,
    pub(super) object: Option<String>,
    pub(super) id: Option<Vec<u8>>,
    pub(super) module_path: PathBuf,
    pub(super) pin_source: Option<PathBuf>,
}

impl Pkcs11Uri {
    /// # Errors
    /// [`SignerError::Uri`]; it never repeats a PIN.
    pub(in crate::signer) fn parse(uri: &KeyUri) -> Result<Self, SignerError> {
        let (path, query) = uri.rest().split_once('?').unwrap_or((uri.rest(), ""));
        let wrong = |reason: String| uri.wrong(reason);
        if uri.rest().contains("pin-value") {
            let text = format!("pkcs11:{}", path.split("pin-value").next().unwrap_or_default());
            let reason =
                "pin-value would show the PIN to everybody: use pin-source=file:PATH".into();
            return Err(SignerError::Uri { text, reason });
        }
        let mut parsed = Self::default();
        for attribute in path.split(';').filter(|attribute| !attribute.is_empty()) {
            parsed.take(attribute).map_err(wrong)?;
        }
        for attribute in query.split('&').filter(|attribute| !attribute.is_empty()) {
            parsed.take_query(attribute).map_err(wrong)?;
        }
        match () {
            () if !parsed.module_path.is_absolute() => {
                Err(uri.wrong("it needs module-path with the absolute path of the PKCS#11 module"))
            }
            () if parsed.object.is_none() && parsed.id.is_none() => {
                Err(uri.wrong("it needs object with the key's label, or id"))
            }
            () => Ok(parsed),
        }
    }

    fn take(&mut self, attribute: &str) -> Result<(), String> {
        let (name, value) = split(attribute)?;
        match name {
            "token" => once(&mut self.token, text(value)?),
            "serial" => once(&mut self.serial, text(value)?),
            "manufacturer" => once(&mut self.manufacturer, text(value)?),
            "model" => once(&mut self.model, text(value)?),
            "object" => once(&mut self.object, text(value)?),
            "id" => once(&mut self.id, percent_decode_str(value).collect()),
            "slot-id" => {
                once(&mut self.slot, value.parse().map_err(|_| "its slot-id is no number")?)
            }
            "type" if value == "private" => Some(()),
            "type" => return Err("its type is not private".into()),
            _ => return Err(format!("its attribute {name} is not known")),
        }
        .ok_or_else(|| format!("its attribute {name} stands there twice"))
    }

    fn take_query(&mut self, attribute: &str) -> Result<(), String> {
        let (name, value) = split(attribute)?;
        match name {
            "module-path" => self.module_path = text(value)?.into(),
            "pin-source" => {
                let source = text(value)?;
                if source.starts_with('|') {
                    return Err("its pin-source is a command, and only files are read".into());
                }
                self.pin_source = Some(source.strip_prefix("file:").unwrap_or(&source).into());
            }
            _ => return Err(format!("its attribute {name} is not known")),
        }
        Ok(())
    }
}

fn split(attribute: &str) -> Result<(&str, &str), String> {
    attribute.split_once('=').ok_or_else(|| "one of its attributes has no value".into())
}

fn text(value: &str) -> Result<String, String> {
    let decoded = percent_decode_str(value).decode_utf8();
    decoded.map(Into::into).map_err(|_| "one of its attributes is no UTF-8".into())
}

fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A [`KeyUri`] is one only where this parses.
    fn parse(text: &str) -> Result<Pkcs11Uri, String> {
        let uri: Result<KeyUri, _> = text.parse();
        uri.and_then(|uri| Pkcs11Uri::parse(&uri)).map_err(|error| error.to_string())
    }

    #[test]
    fn attributes_are_decoded() {
        let uri = "pkcs11:token=The%20token;serial=1;manufacturer=m;model=M;slot-id=7;object=online%3B;id=%01a;type=private\
            ?module-path=/usr/lib/m.so&pin-source=file:/run/pin";
        let parsed = Pkcs11Uri {
            token: Some("The token".into()),
            serial: Some("1".into()),
            manufacturer: Some("m".into()),
            model: Some("M".into()),
            slot: Some(7),
            object: Some("online;".into()),
            id: Some(b"\x01a".to_vec()),
            module_path: "/usr/lib/m.so".into(),
            pin_source: Some("/run/pin".into()),
        };
        assert_eq!(parse(uri), Ok(parsed));
        let short = parse("pkcs11:id=%00?module-path=/m.so&pin-source=pin").unwrap();
        assert_eq!((short.id, short.pin_source), (Some(vec![0]), Some("pin".into())));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (uri, why) in [
            ("pkcs11:object=o", "module-path"),
            ("pkcs11:object=o?module-path=m.so", "absolute"),
            ("pkcs11:token=t?module-path=/m.so", "object"),
            ("pkcs11:object=o;object=p?module-path=/m.so", "twice"),
            ("pkcs11:object=o;slot-id=x?module-path=/m.so", "slot-id"),
            ("pkcs11:object=o;type=cert?module-path=/m.so", "type"),
            ("pkcs11:object=o;colour=x?module-path=/m.so", "colour"),
            ("pkcs11:object?module-path=/m.so", "no value"),
            ("pkcs11:object=%ff?module-path=/m.so", "UTF-8"),
            ("pkcs11:object=o?module-path=/m.so&pin-source=|pass", "command"),
            ("pkcs11:object=o?module-name=m", "module-name"),
        ] {
            let error = parse(uri).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_pin_is_not_taken_and_not_repeated() {
        for uri in [
            "pkcs11:object=o?module-path=/m.so&pin-value=13579",
            "pkcs11:object=o?pin-value=13579&module-path=/m.so",
            "pkcs11:object=o;pin-value=13579?module-path=/m.so",
        ] {
            let error = parse(uri).unwrap_err();
            assert!(error.contains("pin-source") && !error.contains("13579"), "{error}");
        }
    }
}
