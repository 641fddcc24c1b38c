//! The port of `countersign run`, from the index's URL: lock files name it, and should name the same one on every machine
//! of a team.

use url::Url;

use crate::tuf::Digest;

/// Below the ports that systems give out by themselves, and with few known services.
const FIRST: u16 = 17_000;
const COUNT: u16 = 2_000;
/// Known services in that range: Dropbox, test doubles of web servers, Jaeger and InfluxDB, Bitcoin.
const TAKEN: [u16; 10] =
    [17_500, 18_080, 18_081, 18_083, 18_086, 18_088, 18_332, 18_333, 18_443, 18_888];

/// All ports that an index may have, the one that belongs to it first.
#[derive(Debug, Clone)]
pub struct Ports {
    start: u16,
    step: u16,
}

impl Ports {
    /// Those of `index`, which has no credentials.
    pub fn of(index: &Url) -> Self {
        let digest = Digest::of(index.as_str().as_bytes());
        let &[a, b, ..] = digest.as_bytes();
        Self { start: u16::from_be_bytes([a, b]) % COUNT, step: 0 }
    }
}

impl Iterator for Ports {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        while self.step < COUNT {
            let port = FIRST + (self.start + self.step) % COUNT;
            self.step += 1;
            if !TAKEN.contains(&port) {
                return Some(port);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Lock files in the world name it.
    #[test]
    fn an_index_has_its_port_for_ever() {
        let port = |text: &str| Ports::of(&text.parse().unwrap()).next();
        assert_eq!(port("https://mirror.example/simple/"), Some(17_564));
        assert_eq!(port("http://127.0.0.1:8080/root/pypi/+simple/"), Some(17_322));
    }

    #[test]
    fn every_other_port_follows_once() {
        let ports: Vec<_> = Ports::of(&"https://m.example/".parse().unwrap()).collect();
        let set: BTreeSet<_> = ports.iter().copied().collect();
        assert_eq!((ports.len(), set.len()), (1_990, 1_990));
        assert!(set.iter().all(|port| (17_000..19_000).contains(port) && !TAKEN.contains(port)));
    }
}
