use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use super::layer::{Layer, variable};
use super::load::{Keys, Merged};
use super::*;

const SAMPLE: &str = include_str!("../../config/countersign.toml");
const DOCS: &str = include_str!("../../docs/configuration.md");
const EXAMPLE: &str = "https://mirror.example/simple/";

/// Loads a file's text, variables and flags.
struct Sources<'a> {
    file: &'a str,
    variables: &'a [(&'a str, &'a str)],
    flags: &'a [(&'static str, &'static str, &'a str)],
}

const NOTHING: Sources<'static> = Sources { file: "", variables: &[], flags: &[] };

impl Sources<'_> {
    fn load(&self) -> Result<Config, String> {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, self.file).unwrap();
        let variables = self.variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let flag = |&(key, flag, value): &(_, _, &str)| Override { key, flag, value: value.into() };
        let flags: Vec<_> = self.flags.iter().map(flag).collect();
        let shown = |e: ConfigError| e.to_string().replace(path.to_str().unwrap(), "c.toml");
        Config::load(Some(&path), variables, &flags).map_err(shown)
    }
}

fn file(text: &str) -> Result<Config, String> {
    Sources { file: text, ..NOTHING }.load()
}

fn environment(variables: &[(&str, &str)]) -> Result<Config, String> {
    Sources { variables, ..NOTHING }.load()
}

fn example() -> Config {
    let upstream = UpstreamConfig { url: Some(EXAMPLE.into()), ..UpstreamConfig::default() };
    Config { upstream, ..Config::default() }
}

/// The sample with each `#key = value` made live.
fn uncommented() -> String {
    let live = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    SAMPLE.lines().map(live).collect()
}

#[test]
fn the_sample_loads_as_it_stands() {
    assert_eq!(file(SAMPLE).unwrap(), example());
}

#[test]
fn the_sample_shows_every_default() {
    let layer = Layer::toml(&uncommented(), Path::new("sample"), &Keys::new()).unwrap();
    let mut config = Merged::of(std::slice::from_ref(&layer)).extract().unwrap();
    // These have no default: the sample gives an example.
    assert!(config.expected_files.take().is_some());
    assert!(config.bins.take().is_some());
    assert!(config.store.url.take().is_some());
    assert!(config.store.interval.take().is_some());
    assert!(config.upstream.ca_file.take().is_some());
    assert!(config.upstream.credentials.take().is_some());
    assert!(config.tls.cert.take().is_some());
    assert!(config.tls.key.take().is_some());
    assert_eq!(config, example());
    let missing = Keys::new().all().into_iter().find(|key| !layer.origins.contains_key(key));
    assert_eq!(missing, None);
}

#[test]
fn the_docs_list_every_key_with_its_variable_and_flag() {
    let keys = Keys::new().all();
    for key in &keys {
        let row = format!("| `{key}` | ");
        let row = DOCS.lines().find(|line| line.starts_with(&row));
        let row = row.unwrap_or_else(|| panic!("docs/configuration.md lacks {key}"));
        assert!(row.contains(&format!("| `{}` |", variable(key))), "{row}");
        let flag = crate::cli::flag_for(key).map_or("–".into(), |flag| format!("`{flag}`"));
        assert!(row.contains(&format!("| {flag} |")), "{flag} in {row}");
    }
    let rows = DOCS.lines().filter(|line| line.starts_with("| `") && line.contains("COUNTERSIGN_"));
    assert_eq!(rows.count(), keys.len(), "docs/configuration.md has a key that is none");
}

#[test]
fn the_docs_show_every_default() {
    let defaults = figment::value::Value::serialize(Config::default()).unwrap();
    for key in Keys::new().all() {
        let value = defaults.find_ref(&key).unwrap();
        let shown = match value {
            figment::value::Value::Empty(..) => "–".to_owned(),
            figment::value::Value::Array(_, items) if items.is_empty() => "`[]`".to_owned(),
            value => format!("`{}`", load::show(value)),
        };
        let row = format!("| `{key}` | {shown} | ");
        assert!(DOCS.lines().any(|line| line.starts_with(&row)), "no row begins with {row}");
    }
}

#[test]
fn each_source_overrides_the_one_before() {
    let text = "bins = 32\nhtml = false\n[watch]\ninterval = '5min'\nconcurrency = 2\n";
    let config = Sources {
        file: text,
        variables: &[
            ("COUNTERSIGN_BINS", "64"),
            ("COUNTERSIGN_WATCH__CONCURRENCY", "3"),
            ("PATH", "/bin"),
        ],
        flags: &[("bins", "--bins", "128")],
    };
    let config = config.load().unwrap();
    assert_eq!(config.bins, Some(128));
    assert_eq!(config.watch.concurrency, 3);
    assert_eq!(config.watch.interval, Duration::from_secs(300));
    assert!(!config.html);
    assert_eq!(config.cache, CacheConfig::default());
}

#[test]
fn variables_hold_every_kind_of_value() {
    let config = environment(&[
        ("COUNTERSIGN_LISTEN", "[::1]:80"),
        ("COUNTERSIGN_NO_INIT", "true"),
        ("COUNTERSIGN_DATA", "123"),
        ("COUNTERSIGN_EXPECTED_FILES", "1000"),
        ("COUNTERSIGN_TARGETS", "index"),
        ("COUNTERSIGN_UPSTREAM__URL", "https://m.example/simple"),
        ("COUNTERSIGN_UPSTREAM__ORIGINS", "https://a.example, https://b.example:8443"),
        ("COUNTERSIGN_SIGNING__ONLINE", "file:a.pem,command:/bin/sign --key b"),
        ("COUNTERSIGN_CACHE__FILE_LIMIT", "1048576"),
        ("COUNTERSIGN_VALIDITY__BIN", "3 days"),
        ("COUNTERSIGN_CONFIG", "elsewhere"),
        ("COUNTERSIGN_LOG", "debug"),
    ])
    .unwrap();
    assert_eq!(config.listen, "[::1]:80".parse().unwrap());
    assert!(config.no_init);
    assert_eq!(config.data, PathBuf::from("123"));
    assert_eq!(config.expected_files, Some(1000));
    assert_eq!(config.targets, TargetsMode::Index);
    assert_eq!(config.upstream_url().unwrap().as_str(), "https://m.example/simple/");
    assert_eq!(config.upstream.origins, ["https://a.example", "https://b.example:8443"]);
    assert_eq!(config.signing.online, ["file:a.pem", "command:/bin/sign --key b"]);
    assert_eq!(config.cache.file_limit, 1 << 20);
    assert_eq!(config.validity.bin, Duration::from_secs(3 * 86_400));
}

#[test]
fn what_kubernetes_sets_for_a_service_of_that_name_is_passed_over() {
    let config = environment(&[
        ("COUNTERSIGN_SERVICE_HOST", "10.0.0.1"),
        ("COUNTERSIGN_SERVICE_PORT_HTTP", "80"),
        ("COUNTERSIGN_PORT", "tcp://10.0.0.1:80"),
        ("COUNTERSIGN_PORT_80_TCP_ADDR", "10.0.0.1"),
    ]);
    assert_eq!(config.unwrap(), Config::default());
}

#[test]
fn unknown_keys_are_named_with_those_that_are_known() {
    for (text, name) in [
        ("[watch]\nintervall = '1s'\n", "watch.intervall"),
        ("watch = 5\n", "watch"),
        ("bins = { a = 1 }\n", "bins.a"),
        ("[nonsense]\na = 1\n", "nonsense.a"),
        ("admin_listen = '127.0.0.1:1'\n", "admin_listen"),
    ] {
        let error = file(text).unwrap_err();
        let expected = format!("unknown key {name} in c.toml: known here are ");
        assert!(error.starts_with(&expected), "{error}");
    }
    let error = file("[watch]\nintervall = '1s'\n").unwrap_err();
    assert!(error.contains("watch.interval") && !error.contains("tls"), "{error}");
}

#[test]
fn unknown_variables_are_named_with_those_that_are_known() {
    for name in ["COUNTERSIGN_BIN", "COUNTERSIGN_WATCH_INTERVAL", "COUNTERSIGN_bins"] {
        let error = environment(&[(name, "1")]).unwrap_err();
        let expected = format!("unknown environment variable {name}: known here are ");
        assert!(error.starts_with(&expected), "{error}");
    }
    let error = environment(&[("COUNTERSIGN_UPSTREAM", "https://u:secret@m.example")]).unwrap_err();
    assert!(error.contains("COUNTERSIGN_UPSTREAM__URL") && !error.contains("secret"), "{error}");
}

#[test]
fn a_refused_value_is_named_with_its_place() {
    let power = "it must be a power of two from 2 to 16384";
    assert_eq!(file("bins = 3").unwrap_err(), format!("bins = 3 in c.toml is refused: {power}"));
    let error = environment(&[("COUNTERSIGN_BINS", "3")]).unwrap_err();
    assert_eq!(error, format!("COUNTERSIGN_BINS=3 is refused: {power}"));
    let flags = &[("bins", "--bins", "3")];
    let error = Sources { flags, file: "bins = 4", ..NOTHING }.load().unwrap_err();
    assert_eq!(error, format!("--bins 3 is refused: {power}"));
    let error = file("[cache]\nfiles = '1 MiB'").unwrap_err();
    assert_eq!(
        error,
        "cache.file-limit = 256 MiB (the default) is refused: it is larger than cache.files, 1 MiB"
    );
}

#[test]
fn every_bad_value_is_refused_in_one_sentence() {
    for (text, key) in [
        ("listen = ':8080'", "listen"),
        ("listen = '127.0.0.1:9090'", "admin-listen"),
        ("listen = 8080", "listen"),
        ("data = 1", "data"),
        ("bins = 0", "bins"),
        ("bins = 32768", "bins"),
        ("bins = -4", "bins"),
        ("bins = 'many'", "bins"),
        ("expected-files = 0", "expected-files"),
        ("html = 'perhaps'", "html"),
        ("targets = 'some'", "targets"),
        ("passthrough = true", "passthrough"),
        ("access = 'open'", "access"),
        ("tuf-prefix = '/'", "tuf-prefix"),
        ("tuf-prefix = 'tuf'", "tuf-prefix"),
        ("tuf-prefix = '/tuf'", "tuf-prefix"),
        ("tuf-prefix = '//'", "tuf-prefix"),
        ("tuf-prefix = '/a/../b/'", "tuf-prefix"),
        ("tuf-prefix = '/a b/'", "tuf-prefix"),
        ("upstream.url = 'mirror.example'", "upstream.url"),
        ("upstream.url = 'ftp://mirror.example/'", "upstream.url"),
        ("upstream.url = 'https://m.example/?a'", "upstream.url"),
        ("upstream.origins = ['https://m.example/path']", "upstream.origins"),
        ("upstream.origins = 'https://m.example'", "upstream.origins"),
        ("upstream.credentials = 'netrc'", "upstream.credentials"),
        ("upstream.connections = 0", "upstream.connections"),
        ("upstream.idle-timeout = '0s'", "upstream.idle-timeout"),
        ("watch.mode = 'never'", "watch.mode"),
        ("watch.interval = 60", "watch.interval"),
        ("watch.interval = '-1s'", "watch.interval"),
        ("watch.interval = '0s'", "watch.interval"),
        ("watch.concurrency = 0", "watch.concurrency"),
        ("cache.memory = 'lots'", "cache.memory"),
        ("cache.file-limit = '3 GiB'", "cache.file-limit"),
        ("limits.page = 0", "limits.page"),
        ("validity.root = '11 years'", "validity.root"),
        ("validity.root = '4000d'", "validity.root"),
        ("validity.bin = '1500ms'", "validity.bin"),
        ("validity.warn = '0s'", "validity.warn"),
        ("signing.online = []", "signing.online"),
        ("signing.online = ['']", "signing.online"),
        ("signing.online = ['online.pem', 'tpm:x']", "signing.online"),
        ("signing.online = ['file:']", "signing.online"),
        ("signing.online = 'online.pem'", "signing.online"),
        ("signing.timeout = '0s'", "signing.timeout"),
        ("signing.reload = '0s'", "signing.reload"),
        ("store.url = './repository'", "store.url"),
        ("store.url = 'ftp://host/x'", "store.url"),
        ("store.url = 'file://relative'", "store.url"),
        ("store.url = 's3://'", "store.url"),
        ("store.url = 's3://u:p@bucket/x'", "store.url"),
        ("tls.cert = 'c.pem'", "tls.cert"),
        ("tls.key = 'k.pem'", "tls.key"),
    ] {
        let error = file(text).expect_err(text);
        assert!(error.starts_with(&format!("{key} = ")), "{text}: {error}");
        assert!(error.contains(" is refused: "), "{text}: {error}");
        assert_eq!(error.lines().count(), 1, "{text}: {error}");
    }
}

#[test]
fn credentials_show_in_no_sentence() {
    let secrets = [
        "upstream.url = 'https://user:secret@m.example/simple/'",
        "upstream.url = 'user:secret@m.example'",
        "upstream.url = 'https://m.example/?token=secret'",
        "upstream.origins = ['https://a.example', 'https://user:secret@m.example']",
        "upstream.credentials = 'user:secret'",
        "upstream.url = 'https://user:secret@m.example",
        "upstream.ca-file = 'https://user:secret@m.example' junk",
    ];
    for text in secrets {
        let error = file(text).expect_err(text);
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn a_file_that_is_no_toml_is_named_with_its_line() {
    let error = file("bins = 4\n\nhtml = = 1\n").unwrap_err();
    let expected = "the configuration file c.toml is not valid TOML at line 3: ";
    assert!(error.starts_with(expected), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn an_absent_file_is_named() {
    let absent = Path::new("/nonexistent/c.toml");
    let error = Config::load(Some(absent), [], &[]).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot read the configuration file /nonexistent/c.toml: "),
        "{error}"
    );
}

#[test]
fn an_empty_variable_is_refused() {
    let error = environment(&[("COUNTERSIGN_TLS__CERT", "")]).unwrap_err();
    assert_eq!(
        error,
        "COUNTERSIGN_TLS__CERT= is refused: it is empty: give it a value, or leave it out"
    );
}

#[test]
fn an_upstream_is_needed_only_where_it_is_used() {
    let error = Config::default().upstream_url().unwrap_err().to_string();
    assert!(error.contains("--upstream"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_text_makes_the_loader_panic(key in ".{0,30}", value in ".{0,30}") {
        let _ = file(&format!("{key} = {value}"));
        let _ = environment(&[(&format!("COUNTERSIGN_{key}"), &value)]);
        let _ = environment(&[("COUNTERSIGN_UPSTREAM__URL", &value)]);
        let _ = environment(&[("COUNTERSIGN_WATCH__INTERVAL", &value)]);
        let _ = environment(&[("COUNTERSIGN_CACHE__MEMORY", &value)]);
    }
}
