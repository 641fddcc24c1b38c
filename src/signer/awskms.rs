//! Keys in AWS KMS: ECDSA on P-256, of digests.
//!
//! <https://docs.aws.amazon.com/kms/latest/APIReference/>

mod answer;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request};
use http_body_util::Full;
use object_store::aws::{AmazonS3Builder, AwsAuthorizer, AwsCredential, AwsCredentialProvider};
use object_store::client::HttpRequestBody;
use serde_json::{Value, json};
use url::Url;

use super::http::{self as service, Service};
use super::{Backend, KeyUri, Opening, Signer, SignerError, checked};
use crate::connect::chain_text;
use crate::tuf::{Digest, Key};

const ALGORITHM: &str = "ECDSA_SHA_256";

/// A key in KMS.
pub(super) struct KmsSigner {
    kms: Kms,
    /// Which key it is, whatever an alias stands for later.
    id: String,
    key: Key,
}

/// What the URI says.
#[derive(Debug, PartialEq)]
pub(super) struct KmsUri {
    /// An id, an ARN or `alias/NAME`.
    key: String,
    region: String,
    endpoint: Url,
}

impl KmsUri {
    /// Reads `awskms:KEY?region=REGION`.
    ///
    /// # Errors
    /// [`SignerError::Uri`].
    pub(super) fn parse(uri: &KeyUri) -> Result<Self, SignerError> {
        let (key, query) = uri.rest().split_once('?').unwrap_or((uri.rest(), ""));
        let known = |b: u8| b.is_ascii_alphanumeric() || b":/_-".contains(&b);
        if key.is_empty() || key.len() > 2048 || !key.bytes().all(known) {
            return Err(uri.wrong("it has no key's id, ARN or alias/NAME"));
        }
        let options = service::options(query, ["region", "endpoint"]);
        let [region, endpoint] = options.map_err(|why| uri.wrong(why))?;
        // arn:PARTITION:kms:REGION:ACCOUNT:key/ID
        let in_arn = || key.strip_prefix("arn:")?.split(':').nth(2).map(str::to_owned);
        let region = region.or_else(in_arn).ok_or_else(|| uri.wrong("it has no region"))?;
        if region.is_empty() || !region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(uri.wrong("its region is not one such as eu-central-1"));
        }
        let endpoint = endpoint.unwrap_or_else(|| format!("https://kms.{region}.amazonaws.com/"));
        let endpoint: Url = endpoint
            .parse()
            .map_err(|error| uri.wrong(format!("its endpoint is wrong: {error}")))?;
        service::check_url(&endpoint).map_err(|why| uri.wrong(why))?;
        Ok(Self { key: key.to_owned(), region, endpoint })
    }
}

/// KMS in one region, and who asks.
struct Kms {
    uri: KmsUri,
    credentials: AwsCredentialProvider,
    service: Service,
    how: Opening,
}

impl Kms {
    fn new(uri: &KeyUri, how: &Opening) -> Result<Self, SignerError> {
        let parsed = KmsUri::parse(uri)?;
        let service = Service::new(uri, &parsed.endpoint, None, how)?;
        // Only its credentials are asked for; no bucket is.
        let found = AmazonS3Builder::from_env()
            .with_region(&parsed.region)
            .with_bucket_name("unused")
            .build()
            .map_err(|error| service.refused(format!("AWS credentials: {}", chain_text(&error))))?;
        let credentials = found.credentials().clone();
        Ok(Self { uri: parsed, credentials, service, how: how.clone() })
    }

    /// Asks for one action.
    async fn ask(&self, action: &str, body: &Value) -> Result<Bytes, SignerError> {
        let late =
            |_| self.service.away(format!("no AWS credentials within {:?}", self.how.timeout));
        let credential = tokio::time::timeout(self.how.timeout, self.credentials.get_credential());
        let credential = credential.await.map_err(late)?.map_err(|error| {
            self.service.away(format!("no AWS credentials: {}", chain_text(&error)))
        })?;
        let signed = self.signed(action, body, &credential);
        let request = signed.map_err(|why| self.service.refused(why))?;
        let answer = self.service.ask(request).await?;
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        let failure = answer::failure(&answer);
        match failure.away {
            true => Err(self.service.away(failure.reason)),
            false => Err(self.service.refused(failure.reason)),
        }
    }

    /// A request with its signature (AWS Signature Version 4).
    fn signed(
        &self,
        action: &str,
        body: &Value,
        credential: &AwsCredential,
    ) -> Result<Request<Full<Bytes>>, String> {
        let parts = [Some(&credential.key_id), credential.token.as_ref()];
        if parts.into_iter().flatten().any(|part| HeaderValue::from_str(part).is_err()) {
            return Err("the AWS credentials cannot stand in a header".into());
        }
        let bytes = Bytes::from(body.to_string());
        let request = Request::post(self.uri.endpoint.as_str())
            .header(CONTENT_TYPE, "application/x-amz-json-1.1")
            .header("x-amz-target", format!("TrentService.{action}"))
            .body(HttpRequestBody::from(bytes.clone()));
        let mut request = request.map_err(|error| error.to_string())?;
        AwsAuthorizer::new(credential, "kms", &self.uri.region)
            .try_authorize(&mut request, None)
            .map_err(|error| chain_text(&error))?;
        Ok(request.map(|_| Full::new(bytes)))
    }
}

impl KmsSigner {
    /// Asks for the public key.
    ///
    /// # Errors
    /// [`SignerError`].
    pub(super) async fn open(uri: &KeyUri, how: &Opening) -> Result<Self, SignerError> {
        let kms = Kms::new(uri, how)?;
        let body = kms.ask("GetPublicKey", &json!({ "KeyId": kms.uri.key })).await?;
        let (id, key) = answer::public_key(&body).map_err(|why| kms.service.refused(why))?;
        Ok(Self { kms, id, key })
    }

    async fn signature(&self, message: &[u8]) -> Result<String, SignerError> {
        // The digest alone: KMS takes messages of 4,096 bytes at most.
        let body = json!({
            "KeyId": self.id,
            "Message": answer::base64(Digest::of(message).as_bytes()),
            "MessageType": "DIGEST",
            "SigningAlgorithm": ALGORITHM,
        });
        let body = self.kms.ask("Sign", &body).await?;
        answer::signature(&body).map_err(|why| self.kms.service.refused(why))
    }
}

impl Signer for KmsSigner {
    fn key(&self) -> &Key {
        &self.key
    }

    fn backend(&self) -> Backend {
        Backend::AwsKms
    }

    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<String, SignerError>> {
        Box::pin(async move {
            let signature = self.signature(message).await?;
            checked(&self.kms.service.uri, &self.key, message, signature)
        })
    }
}
