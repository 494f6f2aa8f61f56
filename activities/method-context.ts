import { Context } from '@temporalio/activity';
import type { BoundPlan, BoundWorkload } from '../model/bound-plan.ts';
import { failure } from '../model/failures.ts';
import type { PlanComponent } from '../model/recovery-plan.ts';
import { releaseTitle } from '../model/release-name.ts';
import { reportProgress } from './activity-interceptor.ts';
import type { Backends } from './backends.ts';
import { isReady, isRunning, listPods } from './clients/kubernetes.ts';
import { currentRun } from './current-run.ts';
import type { Method, MethodContext } from './methods/method.ts';
import { methods } from './methods/registry.ts';

/** A component of a bound plan. @throws BindingFailed */
export function componentOf(bound: BoundPlan, name: string): PlanComponent {
  const component = bound.plan.components.find((each) => each.name === name);
  if (component === undefined)
    throw failure('BindingFailed', {
      message: `find component ${name} of ${releaseTitle(bound.release)}: the plan has none of that name`,
    });
  return component;
}

/** The workload that a component's data is in: the release's own, or its host's. */
export function workloadOf(bound: BoundPlan, component: PlanComponent): BoundWorkload | undefined {
  if (component.host !== undefined) return bound.hosts[component.host]?.workload;
  return component.workload === undefined ? undefined : bound.workloads[component.workload];
}

/** The method of a component. Each reads its own options by its own schema. @throws BindingFailed */
export function methodOf(component: PlanComponent): Method<unknown> {
  const method = methods.get(component.method);
  if (method === undefined)
    throw failure('BindingFailed', {
      message: `find method ${component.method} of component ${component.name}: this version of Lifeboat has none of that name`,
    });
  return method;
}

/** What every call of a method is given; `during` is the activity that calls it, else whoever does. */
export function methodContext(
  backends: Backends,
  bound: BoundPlan,
  component: PlanComponent,
  generation: string,
  during: Pick<MethodContext<unknown>, 'signal' | 'progress' | 'run'> = {
    signal: Context.current().cancellationSignal,
    progress: reportProgress,
    run: currentRun().runId,
  },
): MethodContext<unknown> {
  const workload = workloadOf(bound, component);
  return {
    backends,
    bound,
    component,
    options: methodOf(component).options.parse(component.options),
    workload,
    generation,
    ...during,
    pod: async () => {
      if (workload === undefined)
        throw failure('BindingFailed', { message: `find pod of ${component.name}: the component has no workload` });
      const pods = await listPods(backends.kubernetes, workload.namespace, workload.selector);
      // where none is ready, one that runs: what its own tools say is wrong tells more than that it is not ready
      const pod = pods.find(isReady) ?? pods.find((each) => isRunning(each, workload.container));
      const name = pod?.metadata?.name;
      if (name === undefined)
        throw failure('PodGone', {
          message: `find pod of ${workload.kind} ${workload.namespace}/${workload.name}: none of ${String(pods.length)} runs`,
        });
      return { namespace: workload.namespace, pod: name, container: workload.container };
    },
  };
}
