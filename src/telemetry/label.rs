//! Label values are closed enums, so that the number of time series is bounded and each is there from the start.

use http::StatusCode;

/// One value of a label.
pub trait Label: Copy + 'static {
    /// The label's name.
    const NAME: &'static str;
    /// Every value.
    const ALL: &'static [Self];
    /// The value as it stands in the metrics.
    fn text(self) -> &'static str;
}

/// Defines an enum whose variants are the values of one label.
macro_rules! label {
    (
        $(#[$meta:meta])*
        $type:ident as $name:literal { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $type { $($(#[$doc])* $variant,)* }

        impl $type {
            /// Every value, in the order of the definition.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The value as it stands in metrics and logs.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl $crate::telemetry::label::Label for $type {
            const NAME: &'static str = $name;
            const ALL: &'static [Self] = Self::ALL;
            fn text(self) -> &'static str {
                self.as_str()
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use label;

label! {
    /// What kind of thing a request asked for.
    Route as "route" {
        /// A project page.
        Page = "page",
        /// The project list.
        List = "list",
        /// TUF metadata.
        Metadata = "metadata",
        /// A target below the TUF prefix.
        Target = "target",
        /// A distribution file, or its core metadata, at the upstream's own path.
        File = "file",
        /// An upload on its way to the upstream.
        Upload = "upload",
        /// All else.
        Passthrough = "passthrough",
        /// The second listener.
        Admin = "admin",
    }
}

label! {
    /// The first digit of a status code, or that there was no complete answer.
    CodeClass as "code_class" {
        /// 100 to 199.
        Informational = "1xx",
        /// 200 to 299.
        Success = "2xx",
        /// 300 to 399.
        Redirection = "3xx",
        /// 400 to 499.
        ClientError = "4xx",
        /// 500 to 599.
        ServerError = "5xx",
        /// The answer began, and its body was cut by us or by the client.
        Aborted = "aborted",
    }
}

impl CodeClass {
    /// The class of a status.
    pub fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            100..=199 => Self::Informational,
            200..=299 => Self::Success,
            300..=399 => Self::Redirection,
            400..=499 => Self::ClientError,
            _ => Self::ServerError,
        }
    }
}

label! {
    /// How a request to the upstream ended.
    UpstreamOutcome as "outcome" {
        /// 2xx.
        Ok = "ok",
        /// 304: the validators spared a body.
        NotModified = "not-modified",
        /// A redirect that was not followed.
        Redirect = "redirect",
        /// 404 or 410.
        NotFound = "not-found",
        /// 401 or 403.
        Denied = "denied",
        /// 429.
        Throttled = "throttled",
        /// Any other 4xx.
        ClientError = "client-error",
        /// 5xx.
        ServerError = "server-error",
        /// No connection, or none that TLS accepts.
        Connect = "connect",
        /// Too slow.
        Timeout = "timeout",
        /// Larger than its bound.
        Oversize = "oversize",
        /// The answer broke HTTP, or ended early.
        Protocol = "protocol",
    }
}

label! {
    /// Why a project was looked at.
    Trigger as "trigger" {
        /// The first look after the start.
        Start = "start",
        /// The project list changed.
        List = "list",
        /// The upstream's serial moved.
        Serial = "serial",
        /// Its turn in the polling came.
        Poll = "poll",
        /// A client asked for it.
        Demand = "on-demand",
        /// An upload passed through.
        Upload = "upload",
        /// A webhook named it.
        Webhook = "webhook",
        /// The operator allowed or blocked something.
        Operator = "operator",
        /// A failed look was tried again.
        Retry = "retry",
    }
}

label! {
    /// How a look at a project ended.
    LookOutcome as "outcome" {
        /// What was seen is what is signed.
        Unchanged = "unchanged",
        /// Something new was published.
        Published = "published",
        /// A page or file was withdrawn.
        Withdrawn = "withdrawn",
        /// It seems to be gone, and that is not believed yet.
        Pending = "pending",
        /// The whole page was refused.
        Refused = "refused",
        /// The upstream knows no such project.
        NotFound = "not-found",
        /// The upstream failed.
        Failed = "failed",
    }
}

label! {
    /// A TUF role.
    Role as "role" {
        /// root
        Root = "root",
        /// targets
        Targets = "targets",
        /// bins, the offline role that delegates to each bin
        Bins = "bins",
        /// snapshot
        Snapshot = "snapshot",
        /// timestamp
        Timestamp = "timestamp",
        /// The bins themselves: the highest version, the earliest expiry.
        Bin = "bin",
        /// Other roles that targets delegates to: the earliest expiry.
        Delegated = "delegated",
    }
}

label! {
    /// Where a key lies.
    Backend as "backend" {
        /// A PKCS#8 file.
        File = "file",
        /// A token, through a PKCS#11 module.
        Pkcs11 = "pkcs11",
        /// HashiCorp Vault or OpenBao.
        Vault = "vault",
        /// AWS KMS.
        AwsKms = "awskms",
        /// A program of the operator's.
        Command = "command",
    }
}

label! {
    /// What is the matter with an online key.
    KeyState as "state" {
        /// It can sign.
        Loaded = "loaded",
        /// What holds it does not answer; it is tried again.
        Away = "away",
        /// It is missing, damaged or refused.
        Refused = "refused",
    }
}

label! {
    /// What was asked of the store.
    StoreOperation as "operation" {
        /// To create an object if it is absent.
        Create = "create",
        /// To write an object, whether or not it exists.
        Put = "put",
        /// To read an object.
        Read = "read",
        /// To list a folder.
        List = "list",
        /// To delete objects.
        Delete = "delete",
        /// To tell when an object was written.
        Date = "date",
        /// To have everything on the disk.
        Sync = "sync",
    }
}

label! {
    /// How the store answered.
    StoreOutcome as "outcome" {
        /// Done.
        Ok = "ok",
        /// The name to create is taken.
        Taken = "taken",
        /// There is no such object.
        Missing = "missing",
        /// It failed.
        Error = "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_have_their_class() {
        for (code, class) in [(101, "1xx"), (204, "2xx"), (304, "3xx"), (404, "4xx"), (503, "5xx")]
        {
            assert_eq!(CodeClass::of(StatusCode::from_u16(code).unwrap()).as_str(), class);
        }
    }
}
