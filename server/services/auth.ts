/** Auth: comes with its own issue. Until then nobody can turn it on, and every caller may do everything. */
import { unimplemented } from "./unimplemented.ts";

export const auth = {
  authEnable: unimplemented("AuthEnable"),
  authDisable: unimplemented("AuthDisable"),
  authStatus: unimplemented("AuthStatus"),
  authenticate: unimplemented("Authenticate"),
  userAdd: unimplemented("UserAdd"),
  userGet: unimplemented("UserGet"),
  userList: unimplemented("UserList"),
  userDelete: unimplemented("UserDelete"),
  userChangePassword: unimplemented("UserChangePassword"),
  userGrantRole: unimplemented("UserGrantRole"),
  userRevokeRole: unimplemented("UserRevokeRole"),
  roleAdd: unimplemented("RoleAdd"),
  roleGet: unimplemented("RoleGet"),
  roleList: unimplemented("RoleList"),
  roleDelete: unimplemented("RoleDelete"),
  roleGrantPermission: unimplemented("RoleGrantPermission"),
  roleRevokePermission: unimplemented("RoleRevokePermission"),
};
