/**
 * Certificates for tests: an authority of our own, what it signed, and a stranger's. Valid from 2020 to 2099, P-256. The
 * keys are public by being here: they protect nothing. As texts, and as files for programs that want paths.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

/** Signed all of those below that do not say otherwise. */
export const CA = `-----BEGIN CERTIFICATE-----
MIIBZjCCAQygAwIBAgICA+kwCgYIKoZIzj0EAwIwGTEXMBUGA1UEAxMOS3ZvcnVt
IHRlc3QgQ0EwIBcNMjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEwMDAwMDBaMBkxFzAV
BgNVBAMTDkt2b3J1bSB0ZXN0IENBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
RRCviKWnMHO0vSS895qmZkwan194+TkDVV+1O5UcVr3H9xCKE1JnID44nFBDrIVu
ySh4fZJdDjspdrPCJ8Bh1aNCMEAwDgYDVR0PAQH/BAQDAgEGMA8GA1UdEwEB/wQF
MAMBAf8wHQYDVR0OBBYEFNNDLtOEWENKwjv1Y8ASWQrarvpDMAoGCCqGSM49BAMC
A0gAMEUCIE76Hy0MNus6K9TJceqTd/OP/jusr3cKy36EX8ulv92wAiEAniYe3DcA
TgPCtT+JYQekIPZmIgEOcbpQVlOLLic6yLo=
-----END CERTIFICATE-----
`;

/** Another authority, which nobody trusts. */
export const STRANGE_CA = `-----BEGIN CERTIFICATE-----
MIIBcTCCARigAwIBAgICA+owCgYIKoZIzj0EAwIwHzEdMBsGA1UEAxMUQSBzdHJh
bmdlcidzIHRlc3QgQ0EwIBcNMjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEwMDAwMDBa
MB8xHTAbBgNVBAMTFEEgc3RyYW5nZXIncyB0ZXN0IENBMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAE8IOPgmd02v6TYZz9h5qvS9JsXqfw/yCxRZym6DFOLPOeCh0c
YIMaB2dRbQBi1nN4jczKwZn5djUnvQkkqEvldqNCMEAwDgYDVR0PAQH/BAQDAgEG
MA8GA1UdEwEB/wQFMAMBAf8wHQYDVR0OBBYEFMPUx6tvYvZdKy0Z44fYI/fo/1sB
MAoGCCqGSM49BAMCA0cAMEQCIFxAWSaUTelVtNqBz+mFfgRWFXBXc4PCOw4QKKBh
YxIoAiArvm4C+gHWXgUqGyP0k+HTmq/1nFysawq2O8rOqe9J+g==
-----END CERTIFICATE-----
`;

/** CN kvorum-test-server, for localhost, 127.0.0.1 and ::1. */
export const SERVER: CertificatePair = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBuTCCAV6gAwIBAgICA+swCgYIKoZIzj0EAwIwGTEXMBUGA1UEAxMOS3ZvcnVt
IHRlc3QgQ0EwIBcNMjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEwMDAwMDBaMB0xGzAZ
BgNVBAMTEmt2b3J1bS10ZXN0LXNlcnZlcjBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABCVbbqvEoW2CuA2uQw8+YPIAspSLs6P89Z99Qevzh0S8mYLBaFszhWbmkjx+
C+H4L4YaQFHLnkjcLKapw0HQofWjgY8wgYwwDgYDVR0PAQH/BAQDAgeAMB0GA1Ud
JQQWMBQGCCsGAQUFBwMBBggrBgEFBQcDAjAMBgNVHRMBAf8EAjAAMB8GA1UdIwQY
MBaAFNNDLtOEWENKwjv1Y8ASWQrarvpDMCwGA1UdEQQlMCOCCWxvY2FsaG9zdIcE
fwAAAYcQAAAAAAAAAAAAAAAAAAAAATAKBggqhkjOPQQDAgNJADBGAiEAiE6Rn79k
g8bUQxv7CnrNYkZGbkGSphUI09MZIy3rGukCIQCDMs2cM9nZ7eZ/LRivWSow3JF/
H89GCwSLlvN57o6ZBQ==
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg2Aldxnwdqcq6nVM3
ZJseedCmSKqj7Fr8E6PNP736ZvahRANCAAQlW26rxKFtgrgNrkMPPmDyALKUi7Oj
/PWffUHr84dEvJmCwWhbM4Vm5pI8fgvh+C+GGkBRy55I3CymqcNB0KH1
-----END PRIVATE KEY-----
`,
};

/** CN kvorum-test-server-2, the same otherwise. */
export const RENEWED_SERVER: CertificatePair = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBujCCAWCgAwIBAgICA+wwCgYIKoZIzj0EAwIwGTEXMBUGA1UEAxMOS3ZvcnVt
IHRlc3QgQ0EwIBcNMjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEwMDAwMDBaMB8xHTAb
BgNVBAMTFGt2b3J1bS10ZXN0LXNlcnZlci0yMFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAE9LIWRPZ3HXseZ37Gzq9wAsG9lEx0GZXef8TFMuKl6BWYOONoMjOlWQ7E
WGEs5jFYO6aPZI1eO2bFwDms8u3036OBjzCBjDAOBgNVHQ8BAf8EBAMCB4AwHQYD
VR0lBBYwFAYIKwYBBQUHAwEGCCsGAQUFBwMCMAwGA1UdEwEB/wQCMAAwHwYDVR0j
BBgwFoAU00Mu04RYQ0rCO/VjwBJZCtqu+kMwLAYDVR0RBCUwI4IJbG9jYWxob3N0
hwR/AAABhxAAAAAAAAAAAAAAAAAAAAABMAoGCCqGSM49BAMCA0gAMEUCIAKeNk0M
/oVUsKpyNeRQ+TF/QdGM+E7zKL8gfKeIrNOyAiEA91ebOmNxBYDpC5pQC/RK4rOj
c8gkCQcDRxmH+rYT2Ro=
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgSAfYC4DPz/Dh+cc4
cZ8pJ3/xSE+RfxBDP/mftcGfBlGhRANCAAT0shZE9ncdex5nfsbOr3ACwb2UTHQZ
ld5/xMUy4qXoFZg442gyM6VZDsRYYSzmMVg7po9kjV47ZsXAOazy7fTf
-----END PRIVATE KEY-----
`,
};

/** CN alice. */
export const CLIENT: CertificatePair = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBijCCATGgAwIBAgICA+0wCgYIKoZIzj0EAwIwGTEXMBUGA1UEAxMOS3ZvcnVt
IHRlc3QgQ0EwIBcNMjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEwMDAwMDBaMBAxDjAM
BgNVBAMTBWFsaWNlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAErr3OGJjPeUkF
8h2zuSVS996duQFVtewDnPxjeLtNF+ZsdXP28T1gW9Aqg4kUFoa0Ul9wuOjvdRG0
cpfDtNqxQaNwMG4wDgYDVR0PAQH/BAQDAgeAMBMGA1UdJQQMMAoGCCsGAQUFBwMC
MAwGA1UdEwEB/wQCMAAwHwYDVR0jBBgwFoAU00Mu04RYQ0rCO/VjwBJZCtqu+kMw
GAYDVR0RBBEwD4INYWxpY2UuZXhhbXBsZTAKBggqhkjOPQQDAgNHADBEAiAlzzRm
c5Om/Lynl1M1vAdwVj7K0D1QepAFFoztrNdIvgIgH41iQwCM1s/B37geX+cwK+rS
O4WDo8qcsWXNOZ6HHp8=
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgwFDZ47p5uKGpW5U2
dFJpvnMX4divz9AGmvKclbb+2iOhRANCAASuvc4YmM95SQXyHbO5JVL33p25AVW1
7AOc/GN4u00X5mx1c/bxPWBb0CqDiRQWhrRSX3C46O91EbRyl8O02rFB
-----END PRIVATE KEY-----
`,
};

/** CN bob; ended in 2021. */
export const EXPIRED_CLIENT: CertificatePair = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBhTCCASugAwIBAgICA+4wCgYIKoZIzj0EAwIwGTEXMBUGA1UEAxMOS3ZvcnVt
IHRlc3QgQ0EwHhcNMjAwMTAxMDAwMDAwWhcNMjExMjMxMDAwMDAwWjAOMQwwCgYD
VQQDEwNib2IwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASesJ/1R7mtjv1I1Iev
ORNuh8Ah282IKbIrYTw9ajDkkr3qWAXSrx7VFyISAP9IkoMYfNeOUYjqJsAW0YEJ
vu9Do24wbDAOBgNVHQ8BAf8EBAMCB4AwEwYDVR0lBAwwCgYIKwYBBQUHAwIwDAYD
VR0TAQH/BAIwADAfBgNVHSMEGDAWgBTTQy7ThFhDSsI79WPAElkK2q76QzAWBgNV
HREEDzANggtib2IuZXhhbXBsZTAKBggqhkjOPQQDAgNIADBFAiEA4uGNgfHlpniC
wzwA75V072EhDiP7TEA9mlQlVymTrJYCIEhBnzu2D1rMNzQXNYs1Fjtfk3Io/6DY
9m8+CnAhU2Ef
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgpqpQlG4mn+iaXXUz
1Bq+oZ5uc4XLHhUaLo7+TaQUyIyhRANCAASesJ/1R7mtjv1I1IevORNuh8Ah282I
KbIrYTw9ajDkkr3qWAXSrx7VFyISAP9IkoMYfNeOUYjqJsAW0YEJvu9D
-----END PRIVATE KEY-----
`,
};

/** CN mallory, signed by STRANGE_CA. */
export const STRANGE_CLIENT: CertificatePair = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBlTCCATugAwIBAgICA+8wCgYIKoZIzj0EAwIwHzEdMBsGA1UEAxMUQSBzdHJh
bmdlcidzIHRlc3QgQ0EwIBcNMjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEwMDAwMDBa
MBIxEDAOBgNVBAMTB21hbGxvcnkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATr
/0Lm2ZY/m1hpWUlos/q1E9e6ZuhpnujXp+H1rGFCbrQAR2Ex/EdJ+QUO82iQFbmL
cC6/Oef0nZlW32KSkoF8o3IwcDAOBgNVHQ8BAf8EBAMCB4AwEwYDVR0lBAwwCgYI
KwYBBQUHAwIwDAYDVR0TAQH/BAIwADAfBgNVHSMEGDAWgBTD1Merb2L2XSstGeOH
2CP36P9bATAaBgNVHREEEzARgg9tYWxsb3J5LmV4YW1wbGUwCgYIKoZIzj0EAwID
SAAwRQIgEhj1sclfffbiwEEAHd5utvE+sXH+nnI4ejmxtuHDVTACIQCklom9JWz3
0XPN/ri7HZrwBRv3+C1Rr4frwAioMZb+1A==
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg+5iFR6CxuQiRwYmK
MfA4zEJRPo1dCJdPcg4eissEb2+hRANCAATr/0Lm2ZY/m1hpWUlos/q1E9e6Zuhp
nujXp+H1rGFCbrQAR2Ex/EdJ+QUO82iQFbmLcC6/Oef0nZlW32KSkoF8
-----END PRIVATE KEY-----
`,
};

let folder: string | undefined;

/** The path of a file with `text`, in a folder that goes when the process ends. */
function fileOf(name: string, text: string): string {
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), "kvorum-certificates-"));
    process.once("exit", () => rmSync(made, { recursive: true, force: true }));
    folder = made;
  }
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

/** Paths; a file is written when it is asked for. */
export const CERTIFICATES = {
  get ca(): string {
    return fileOf("ca.pem", CA);
  },
  get serverCert(): string {
    return fileOf("server.pem", SERVER.cert);
  },
  get serverKey(): string {
    return fileOf("server.key", SERVER.key);
  },
  get clientCert(): string {
    return fileOf("client.pem", CLIENT.cert);
  },
  get clientKey(): string {
    return fileOf("client.key", CLIENT.key);
  },
};
