/** authpb: users and roles as they are stored and as requests name them. */
import { bool, bytes, enumeration, message, strings, submessage, submessages, type TypeOf } from "./codec.ts";

export const PermissionType = { READ: 0, WRITE: 1, READWRITE: 2 } as const;

export const UserAddOptions = message("authpb.UserAddOptions", { noPassword: bool(1) });
export type UserAddOptions = TypeOf<typeof UserAddOptions>;

/** `roles` are sorted. */
export const User = message("authpb.User", {
  name: bytes(1),
  password: bytes(2),
  roles: strings(3),
  options: submessage(4, UserAddOptions),
});
export type User = TypeOf<typeof User>;

/** `permType` is a `PermissionType`. */
export const Permission = message("authpb.Permission", { permType: enumeration(1), key: bytes(2), rangeEnd: bytes(3) });
export type Permission = TypeOf<typeof Permission>;

export const Role = message("authpb.Role", { name: bytes(1), keyPermission: submessages(2, Permission) });
export type Role = TypeOf<typeof Role>;
