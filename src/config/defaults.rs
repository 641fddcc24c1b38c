//! What holds where nothing else is said.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{
    Access, CacheConfig, ClockCheck, Config, LimitsConfig, Lost, Passthrough, SigningConfig,
    StoreConfig, TargetsMode, TlsConfig, UpstreamConfig, ValidityConfig, WatchConfig, WatchMode,
};

const MIB: u64 = 1024 * 1024;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin_listen: SocketAddr::from(([127, 0, 0, 1], 9090)),
            data: PathBuf::from("./countersign-data"),
            expected_files: None,
            bins: None,
            no_init: false,
            targets: TargetsMode::All,
            html: true,
            passthrough: Passthrough::Closed,
            access: Access::Upstream,
            tuf_prefix: "/tuf/".into(),
            upstream: UpstreamConfig::default(),
            store: StoreConfig::default(),
            watch: WatchConfig::default(),
            cache: CacheConfig::default(),
            signing: SigningConfig::default(),
            limits: LimitsConfig::default(),
            validity: ValidityConfig::default(),
            tls: TlsConfig::default(),
        }
    }
}

impl Default for UpstreamConfig {
    fn default() -> Self {
        Self {
            url: None,
            origins: Vec::new(),
            ca_file: None,
            credentials: None,
            connections: 32,
            response_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(30),
            page_timeout: Duration::from_secs(60),
        }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            url: None,
            grace: Duration::from_secs(60 * 60),
            interval: None,
            lease: Duration::from_secs(15),
            lost: Lost::Refuse,
            clock: ClockCheck::Check,
        }
    }
}

impl Default for WatchConfig {
    fn default() -> Self {
        Self {
            mode: WatchMode::Auto,
            interval: Duration::from_secs(60),
            concurrency: 8,
            on_demand_timeout: Duration::from_secs(30),
            withdrawal_period: Duration::from_secs(5 * 60),
        }
    }
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { memory: 64 * MIB, files: 2048 * MIB, file_limit: 256 * MIB }
    }
}

impl Default for SigningConfig {
    fn default() -> Self {
        Self {
            online: vec!["file:online.pem".into()],
            timeout: Duration::from_secs(10),
            reload: Duration::from_secs(10),
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self { page: 64 * MIB, list: 256 * MIB, file: 10 * 1024 * MIB }
    }
}

impl Default for ValidityConfig {
    fn default() -> Self {
        Self {
            root: 365 * DAY,
            targets: 365 * DAY,
            bins: 365 * DAY,
            bin: 7 * DAY,
            snapshot: DAY,
            timestamp: DAY,
            warn: 30 * DAY,
        }
    }
}
