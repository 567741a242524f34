/** etcdserverpb: the requests and answers of Auth. */
import { Permission, UserAddOptions } from "../authpb.ts";
import { bool, bytes, message, string, strings, submessage, submessages, type TypeOf, uint64 } from "../codec.ts";
import { ResponseHeader } from "./header.ts";

const header = submessage(1, ResponseHeader);

export const AuthEnableRequest = message("etcdserverpb.AuthEnableRequest", {});
export type AuthEnableRequest = TypeOf<typeof AuthEnableRequest>;

export const AuthDisableRequest = message("etcdserverpb.AuthDisableRequest", {});
export type AuthDisableRequest = TypeOf<typeof AuthDisableRequest>;

export const AuthStatusRequest = message("etcdserverpb.AuthStatusRequest", {});
export type AuthStatusRequest = TypeOf<typeof AuthStatusRequest>;

export const AuthenticateRequest = message("etcdserverpb.AuthenticateRequest", {
  name: string(1),
  password: string(2),
});
export type AuthenticateRequest = TypeOf<typeof AuthenticateRequest>;

/** `hashedPassword` is base64, and only set by a member: never taken from a client. */
export const AuthUserAddRequest = message("etcdserverpb.AuthUserAddRequest", {
  name: string(1),
  password: string(2),
  options: submessage(3, UserAddOptions),
  hashedPassword: string(4),
});
export type AuthUserAddRequest = TypeOf<typeof AuthUserAddRequest>;

export const AuthUserGetRequest = message("etcdserverpb.AuthUserGetRequest", { name: string(1) });
export type AuthUserGetRequest = TypeOf<typeof AuthUserGetRequest>;

export const AuthUserDeleteRequest = message("etcdserverpb.AuthUserDeleteRequest", { name: string(1) });
export type AuthUserDeleteRequest = TypeOf<typeof AuthUserDeleteRequest>;

export const AuthUserChangePasswordRequest = message("etcdserverpb.AuthUserChangePasswordRequest", {
  name: string(1),
  password: string(2),
  hashedPassword: string(3),
});
export type AuthUserChangePasswordRequest = TypeOf<typeof AuthUserChangePasswordRequest>;

export const AuthUserGrantRoleRequest = message("etcdserverpb.AuthUserGrantRoleRequest", {
  user: string(1),
  role: string(2),
});
export type AuthUserGrantRoleRequest = TypeOf<typeof AuthUserGrantRoleRequest>;

export const AuthUserRevokeRoleRequest = message("etcdserverpb.AuthUserRevokeRoleRequest", {
  name: string(1),
  role: string(2),
});
export type AuthUserRevokeRoleRequest = TypeOf<typeof AuthUserRevokeRoleRequest>;

export const AuthRoleAddRequest = message("etcdserverpb.AuthRoleAddRequest", { name: string(1) });
export type AuthRoleAddRequest = TypeOf<typeof AuthRoleAddRequest>;

export const AuthRoleGetRequest = message("etcdserverpb.AuthRoleGetRequest", { role: string(1) });
export type AuthRoleGetRequest = TypeOf<typeof AuthRoleGetRequest>;

export const AuthUserListRequest = message("etcdserverpb.AuthUserListRequest", {});
export type AuthUserListRequest = TypeOf<typeof AuthUserListRequest>;

export const AuthRoleListRequest = message("etcdserverpb.AuthRoleListRequest", {});
export type AuthRoleListRequest = TypeOf<typeof AuthRoleListRequest>;

export const AuthRoleDeleteRequest = message("etcdserverpb.AuthRoleDeleteRequest", { role: string(1) });
export type AuthRoleDeleteRequest = TypeOf<typeof AuthRoleDeleteRequest>;

export const AuthRoleGrantPermissionRequest = message("etcdserverpb.AuthRoleGrantPermissionRequest", {
  name: string(1),
  perm: submessage(2, Permission),
});
export type AuthRoleGrantPermissionRequest = TypeOf<typeof AuthRoleGrantPermissionRequest>;

export const AuthRoleRevokePermissionRequest = message("etcdserverpb.AuthRoleRevokePermissionRequest", {
  role: string(1),
  key: bytes(2),
  rangeEnd: bytes(3),
});
export type AuthRoleRevokePermissionRequest = TypeOf<typeof AuthRoleRevokePermissionRequest>;

export const AuthEnableResponse = message("etcdserverpb.AuthEnableResponse", { header });
export type AuthEnableResponse = TypeOf<typeof AuthEnableResponse>;

export const AuthDisableResponse = message("etcdserverpb.AuthDisableResponse", { header });
export type AuthDisableResponse = TypeOf<typeof AuthDisableResponse>;

export const AuthStatusResponse = message("etcdserverpb.AuthStatusResponse", {
  header,
  enabled: bool(2),
  authRevision: uint64(3),
});
export type AuthStatusResponse = TypeOf<typeof AuthStatusResponse>;

export const AuthenticateResponse = message("etcdserverpb.AuthenticateResponse", { header, token: string(2) });
export type AuthenticateResponse = TypeOf<typeof AuthenticateResponse>;

export const AuthUserAddResponse = message("etcdserverpb.AuthUserAddResponse", { header });
export type AuthUserAddResponse = TypeOf<typeof AuthUserAddResponse>;

export const AuthUserGetResponse = message("etcdserverpb.AuthUserGetResponse", { header, roles: strings(2) });
export type AuthUserGetResponse = TypeOf<typeof AuthUserGetResponse>;

export const AuthUserDeleteResponse = message("etcdserverpb.AuthUserDeleteResponse", { header });
export type AuthUserDeleteResponse = TypeOf<typeof AuthUserDeleteResponse>;

export const AuthUserChangePasswordResponse = message("etcdserverpb.AuthUserChangePasswordResponse", { header });
export type AuthUserChangePasswordResponse = TypeOf<typeof AuthUserChangePasswordResponse>;

export const AuthUserGrantRoleResponse = message("etcdserverpb.AuthUserGrantRoleResponse", { header });
export type AuthUserGrantRoleResponse = TypeOf<typeof AuthUserGrantRoleResponse>;

export const AuthUserRevokeRoleResponse = message("etcdserverpb.AuthUserRevokeRoleResponse", { header });
export type AuthUserRevokeRoleResponse = TypeOf<typeof AuthUserRevokeRoleResponse>;

export const AuthRoleAddResponse = message("etcdserverpb.AuthRoleAddResponse", { header });
export type AuthRoleAddResponse = TypeOf<typeof AuthRoleAddResponse>;

export const AuthRoleGetResponse = message("etcdserverpb.AuthRoleGetResponse", {
  header,
  perm: submessages(2, Permission),
});
export type AuthRoleGetResponse = TypeOf<typeof AuthRoleGetResponse>;

export const AuthRoleListResponse = message("etcdserverpb.AuthRoleListResponse", { header, roles: strings(2) });
export type AuthRoleListResponse = TypeOf<typeof AuthRoleListResponse>;

export const AuthUserListResponse = message("etcdserverpb.AuthUserListResponse", { header, users: strings(2) });
export type AuthUserListResponse = TypeOf<typeof AuthUserListResponse>;

export const AuthRoleDeleteResponse = message("etcdserverpb.AuthRoleDeleteResponse", { header });
export type AuthRoleDeleteResponse = TypeOf<typeof AuthRoleDeleteResponse>;

export const AuthRoleGrantPermissionResponse = message("etcdserverpb.AuthRoleGrantPermissionResponse", { header });
export type AuthRoleGrantPermissionResponse = TypeOf<typeof AuthRoleGrantPermissionResponse>;

export const AuthRoleRevokePermissionResponse = message("etcdserverpb.AuthRoleRevokePermissionResponse", { header });
export type AuthRoleRevokePermissionResponse = TypeOf<typeof AuthRoleRevokePermissionResponse>;
