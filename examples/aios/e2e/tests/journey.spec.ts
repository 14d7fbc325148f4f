import { randomUUID } from 'node:crypto';

import { expect, test, type Page } from '@playwright/test';

import { readParameters } from '../support/parameters.ts';

const { output } = readParameters(process.env);
const PASSWORD = 'correct horse battery';

/** Open the app and register somebody whom no run before has registered. */
async function register(page: Page): Promise<string> {
  const email = `e2e-${randomUUID()}@example.com`;
  await page.goto('/');
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.screenshot({ path: `${output}/sign-in.png` });
  await page.getByRole('button', { name: 'Create an account' }).click();
  await expect(page.getByLabel('Title of the note')).toBeVisible();
  return email;
}

async function open(page: Page, tab: 'notes' | 'tasks' | 'about'): Promise<void> {
  await page.getByTestId(`tab-${tab}`).click();
}

test('a note survives a reload, and signing out and in again', async ({ page }) => {
  const email = await register(page);

  await page.getByLabel('Title of the note').fill('Milk');
  await page.getByLabel('Text of the note').fill('Two litres');
  await page.getByRole('button', { name: 'Add note' }).click();
  const note = page.getByTestId('note').filter({ hasText: 'Two litres' });
  await expect(note).toBeVisible();

  await page.reload();
  await expect(note).toBeVisible();
  await page.screenshot({ path: `${output}/notes.png` });

  await open(page, 'about');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(note).toBeVisible();

  await note.getByRole('button', { name: 'Delete' }).click();
  await expect(note).toBeHidden();
});

test('a task is ticked off for good', async ({ page }) => {
  await register(page);
  await open(page, 'tasks');
  await page.getByLabel('What is to be done').fill('Call the bank');
  await page.getByRole('button', { name: 'Add task' }).click();
  const task = page.getByRole('checkbox', { name: 'Call the bank' });
  await task.click();
  await expect(task).toBeChecked();

  await page.goto('/');
  await open(page, 'tasks');
  await expect(task).toBeChecked();
  await page.screenshot({ path: `${output}/tasks.png` });
});

test('a wrong password is explained', async ({ page }) => {
  await page.goto('/');
  await page.getByLabel('E-mail address').fill('nobody@example.com');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByTestId('problem')).toHaveText('The e-mail address or the password is wrong.');
});

test('about names the app and the release of the server', async ({ page }) => {
  const email = await register(page);
  await open(page, 'about');
  await expect(page.getByTestId('App version')).toHaveText(/^\d+\.\d+\.\d+$/);
  await expect(page.getByTestId('Channel')).not.toBeEmpty();
  await expect(page.getByTestId('Release')).not.toBeEmpty();
  await expect(page.getByText(email)).toBeVisible();
  await page.screenshot({ path: `${output}/about.png` });
});
