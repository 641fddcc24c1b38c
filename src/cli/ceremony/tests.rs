use super::*;

#[test]
fn a_holder_is_a_name_and_a_file() {
    assert!("red=red.pub.json".parse::<Held>().is_ok());
    assert!("red=a=b.json".parse::<Held>().is_ok(), "a path may have an equals sign");
    for bad in ["red", "=x", "red="] {
        assert!(bad.parse::<Held>().unwrap_err().contains("NAME=PUB"), "{bad}");
    }
}

#[test]
fn a_delegation_is_a_name_patterns_and_a_file() {
    assert!("acme=simple/acme-*/*,files/acme-*/*:acme.pub.json".parse::<Delegate>().is_ok());
    for bad in ["acme", "acme=simple/*", "acme=:x", "acme=a,:x", "acme=a:"] {
        assert!(bad.parse::<Delegate>().is_err(), "{bad}");
    }
}
