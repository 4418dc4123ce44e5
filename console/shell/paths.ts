/** Where a module's page is. */
export const modulePage = (clusterId: string, moduleId: string): string =>
  `/c/${clusterId}/modules/${moduleId}`;
