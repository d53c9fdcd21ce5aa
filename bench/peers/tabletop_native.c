/* The tabletop's control loop (envs/operational_space.ts, envs/tabletop.ts) over native MuJoCo, to compare speeds.
 * Usage: tabletop_native MODEL.xml EPISODE.bin SECONDS
 * EPISODE.bin: nq float64 positions, then n * 7 float32 actions. Replays the episode for SECONDS and prints
 * {"stepsPerSecond": ..., "target": [x, y, z]}, the position of the first object at its end. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mujoco/mujoco.h>

enum { N = 7, SUBSTEPS = 10 };
static const double HOME[N] = {0, -0.161, 0, -2.4446, 0, 2.2836, 0};
static const double LIMIT[N] = {87, 87, 87, 87, 12, 12, 12};
static const double KP = 150, POSTURE = 10;

static mjModel *m;
static mjData *d;
static double J[6 * N], lambda[36], lambda_p[9], lambda_o[9], goal_p[3], goal_r[9], gripper;

static void invert(const double *a, int n, double *out) { /* symmetric positive definite, n <= 6 */
  double L[36], column[6];
  memcpy(L, a, sizeof(double) * n * n);
  mju_cholFactor(L, n, 0);
  for (int j = 0; j < n; j++) {
    double unit[6] = {0};
    unit[j] = 1;
    mju_cholSolve(column, L, unit, n);
    for (int i = 0; i < n; i++) out[i * n + j] = column[i];
  }
}

static void jacobian(void) {
  for (int k = 0; k < N; k++) {
    double arm[3], linear[3];
    mju_sub3(arm, d->site_xpos, d->xanchor + 3 * k);
    mju_cross(linear, d->xaxis + 3 * k, arm);
    for (int i = 0; i < 3; i++) {
      J[i * N + k] = linear[i];
      J[(3 + i) * N + k] = d->xaxis[3 * k + i];
    }
  }
}

static void aim(const float *action) {
  for (int i = 0; i < 3; i++) goal_p[i] = d->site_xpos[i] + 0.05 * action[i];
  double axis[3] = {0.5 * action[3], 0.5 * action[4], 0.5 * action[5]}, angle = mju_normalize3(axis), q[4], turn[9];
  mju_axisAngle2Quat(q, axis, angle);
  mju_quat2Mat(turn, q);
  mju_mulMatMat(goal_r, turn, d->site_xmat, 3, 3, 3);
  jacobian();
  double M[N * N], A[36], block[9];
  for (int i = 0; i < N; i++)
    for (int j = 0; j <= i; j++) M[i * N + j] = M[j * N + i] = d->M[m->M_rowadr[i] + j];
  mju_cholFactor(M, N, 0);
  for (int i = 0; i < 6; i++) {
    double solved[N];
    mju_cholSolve(solved, M, J + i * N, N);
    mju_mulMatVec(A + 6 * i, J, solved, 6, N);
  }
  for (int first = 0; first < 6; first += 3) {
    for (int i = 0; i < 3; i++)
      for (int j = 0; j < 3; j++) block[3 * i + j] = A[6 * (first + i) + first + j];
    invert(block, 3, first ? lambda_o : lambda_p);
  }
  invert(A, 6, lambda);
}

static void actuate(void) {
  double kd = 2 * sqrt(KP), posture_kd = 2 * sqrt(POSTURE);
  double twist[6], error[6] = {0}, pull[6], wrench[6], posture[N], moved[6], taken[6];
  jacobian();
  mju_mulMatVec(twist, J, d->qvel, 6, N);
  for (int i = 0; i < 3; i++) error[i] = goal_p[i] - d->site_xpos[i];
  for (int j = 0; j < 3; j++) {
    double now[3], wanted[3], cross[3];
    for (int i = 0; i < 3; i++) now[i] = d->site_xmat[3 * i + j], wanted[i] = goal_r[3 * i + j];
    mju_cross(cross, now, wanted);
    for (int i = 0; i < 3; i++) error[3 + i] += 0.5 * cross[i];
  }
  for (int i = 0; i < 6; i++) pull[i] = KP * error[i] - kd * twist[i];
  mju_mulMatVec(wrench, lambda_p, pull, 3, 3);
  mju_mulMatVec(wrench + 3, lambda_o, pull + 3, 3, 3);
  for (int k = 0; k < N; k++) posture[k] = POSTURE * (HOME[k] - d->qpos[k]) - posture_kd * d->qvel[k];
  mju_mulMatVec(moved, J, posture, 6, N);
  mju_mulMatVec(taken, lambda, moved, 6, 6);
  for (int k = 0; k < N; k++) {
    double torque = d->qfrc_bias[k];
    for (int i = 0; i < 6; i++) torque += J[i * N + k] * (wrench[i] - taken[i]);
    for (int j = 0; j < N; j++) {
      int row = j <= k ? k : j, column = j <= k ? j : k;
      torque += d->M[m->M_rowadr[row] + column] * posture[j];
    }
    d->ctrl[k] = mju_clip(torque, -LIMIT[k], LIMIT[k]);
  }
}

static void control(const float *action) {
  gripper = mju_clip(gripper + (action[6] > 0 ? 0.25 : action[6] < 0 ? -0.25 : 0), -1, 1);
  d->ctrl[N] = d->ctrl[N + 1] = 0.04 - 0.052 * (gripper + 1) / 2;
  aim(action);
  for (int i = 0; i < SUBSTEPS; i++) {
    actuate();
    mj_step2(m, d);
    mj_step1(m, d);
  }
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
  char message[1000];
  if (argc != 4 || !(m = mj_loadXML(argv[1], NULL, message, sizeof message))) return 2;
  d = mj_makeData(m);
  double *positions = malloc(m->nq * sizeof(double));
  float *actions = malloc(7 * 10000 * sizeof(float));
  FILE *file = fopen(argv[2], "rb");
  if (!file || fread(positions, sizeof(double), m->nq, file) != (size_t)m->nq) return 2;
  long length = fread(actions, 7 * sizeof(float), 10000, file), steps = 0;
  double start = seconds(), end = start + atof(argv[3]);
  do {
    mj_resetData(m, d);
    mju_copy(d->qpos, positions, m->nq);
    mj_step1(m, d);
    gripper = -1;
    for (long t = 0; t < length; t++) control(actions + 7 * t);
    steps += length;
  } while (seconds() < end);
  printf("{\"stepsPerSecond\": %.1f, \"target\": [%.9f, %.9f, %.9f]}\n", steps / (seconds() - start), d->qpos[9],
         d->qpos[10], d->qpos[11]);
  return 0;
}
